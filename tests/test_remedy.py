"""What a remedy says of itself is checked when it says it, and every remedy that is installed says it so."""

from importlib.metadata import entry_points
from typing import get_args

import pytest

from workbench import UsageError, prediction
from workbench.remedies import Traits, remedy, sequential, threads, twin
from workbench.remedy import Model


@pytest.mark.parametrize(
    "words", [{"modle": "threads"}, {"scale": True}, {"prise": "none"}, {"model": "threads", "workers": 3}]
)
def test_an_unknown_word_is_a_type_error(words) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        remedy(**words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"scales": "yes"}, "scales='yes': pass a bool"),
        ({"price": None}, "price=None: pass a str"),
        ({"effort": 0}, "effort=0: pass 1 or more"),
        ({"effort": True}, "effort=True: pass a int"),
        ({"model": "thraeds"}, "there is no model 'thraeds'; there are threads, free threads, asyncio"),
    ],
)
def test_a_value_that_a_trait_can_not_have_is_refused(words, said) -> None:
    with pytest.raises(UsageError, match=said):
        remedy(**words)


def test_a_mark_changes_nothing_of_the_function() -> None:
    def run(func, items, *, workers=None):
        return [func(item) for item in items]

    assert remedy(scales=True, effort=2)(run) is run
    assert Traits.of(run) == Traits(scales=True, effort=2)


def test_who_says_nothing_has_the_defaults() -> None:
    assert Traits.of(lambda func, items, *, workers=None: []) == Traits()


def test_a_twin_scales_as_what_runs_it_and_has_a_price_of_its_own() -> None:
    assert Traits.of(twin(abs, by=threads)).scales
    assert not Traits.of(twin(abs, by=sequential)).scales
    assert Traits.of(twin(abs, by=threads)).price == "a second function to maintain"


def test_every_model_that_a_remedy_can_name_predicts() -> None:
    assert set(prediction.MODELS) == set(get_args(Model)) - {""}


@pytest.mark.parametrize("point", entry_points(group="workbench.remedies"), ids=lambda point: point.name)
def test_every_installed_remedy_says_what_it_costs(point) -> None:
    traits = Traits.of(point.load())
    assert traits.price or point.name == "sequential"
