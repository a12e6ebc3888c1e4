"""The words of the kinds of fault."""

from planted_labels import labels

from workbench.faults import WORDS


def test_each_kind_has_words_of_its_own() -> None:
    faults, _ = labels()
    assert {fault.kind for fault in faults} <= WORDS.keys()
    assert len(set(WORDS.values())) == len(WORDS)
