"""An opportunity survives JSON, and holds only what can be true."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import RecordError
from workbench.opportunity import Opportunity
from workbench.plain import from_plain, to_plain

text = st.text(max_size=20)
seconds = st.floats(-1e6, 1e6)


@st.composite
def opportunities(draw: st.DrawFn) -> Opportunity:
    (saves_low, saves_s, saves_high), (tried_low, tried_s, tried_high) = (
        draw(st.just((None,) * 3) | st.tuples(seconds, seconds, seconds).map(sorted)) for _ in range(2)
    )
    verdicts = ["pays", "does not", "harms"] if tried_s is not None else ["", "can't be tried"]
    return Opportunity(
        kind=draw(text), what=draw(text), why=draw(text), how=draw(text), file=draw(text), line=draw(st.integers(0)),
        saves_s=saves_s, saves_low=saves_low, saves_high=saves_high, try_=draw(text),
        tried_s=tried_s, tried_low=tried_low, tried_high=tried_high, verdict=draw(st.sampled_from(verdicts)),
    )  # fmt: skip


@given(opportunities())
def test_json_gives_back_an_equal_opportunity(opportunity: Opportunity) -> None:
    data = json.loads(json.dumps(to_plain(opportunity)))
    assert data["try"] == opportunity.try_
    assert from_plain(Opportunity, data, "opportunity") == opportunity


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"saves_s": 2.0, "saves_low": 0.5, "saves_high": 1.0}, "saves_s is 2.0, outside its interval of 0.5 to 1.0"),
        ({"saves_low": 0.5}, "saves_s is None, outside its interval of 0.5 to None"),
        ({"tried_s": 1.0}, "tried_s goes with a verdict"),
        ({"verdict": "perhaps"}, "there is no verdict 'perhaps': pass one of pays, does not, harms, can't be tried"),
    ],
)
def test_what_can_not_be_true_is_refused(wrong: dict[str, object], said: str) -> None:
    data = {"kind": "k", "what": "w", "why": "y", "how": "h", **wrong}
    with pytest.raises(ValueError, match=said):
        Opportunity(**data)  # type: ignore[arg-type]
    with pytest.raises(RecordError, match=said):
        from_plain(Opportunity, data, "opportunity")


def test_a_saving_is_told_as_tried_then_as_predicted() -> None:
    data = {"kind": "k", "what": "w", "why": "y", "how": "h"}
    assert Opportunity(**data).saving == "not known"
    assert Opportunity(**data, saves_s=2.0, saves_low=1.0, saves_high=3.0).saving == "2 s (1 to 3), predicted"
    assert Opportunity(**data, saves_s=2.0, tried_s=1.5, verdict="pays").saving == "1.5 s, tried"
