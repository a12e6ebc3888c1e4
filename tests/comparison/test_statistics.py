import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import UsageError
from workbench.comparison.statistics import ERROR_RATE, Interval, _signed_rank_cut, error_rate, interval, is_look

times = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=40)


@given(times, st.data())
def test_swapping_the_two_turns_the_interval_round(baseline_s, data):
    remedy_s = data.draw(st.lists(st.floats(1e-6, 1e3), min_size=len(baseline_s), max_size=len(baseline_s)))
    there = interval(baseline_s, remedy_s, last=True)
    back = interval(remedy_s, baseline_s, last=True)
    assert there.speedup == pytest.approx(1 / back.speedup)
    assert there.high == pytest.approx(1 / back.low if back.low else math.inf)
    opposite = {"faster": "slower", "slower": "faster"}
    assert back.verdict == opposite.get(there.verdict, there.verdict)


@given(times, st.floats(0.01, 100))
def test_a_constant_ratio_is_found_exactly(baseline_s, ratio):
    found = interval(baseline_s, [value / ratio for value in baseline_s], last=True)
    assert found.speedup == pytest.approx(ratio)
    assert found.low <= found.speedup * (1 + 1e-9)
    assert found.speedup <= found.high * (1 + 1e-9)


@given(times)
def test_the_unit_of_time_does_not_matter(baseline_s):
    remedy_s = list(reversed(baseline_s))
    seconds = interval(baseline_s, remedy_s, last=True)
    milliseconds = interval([1e3 * value for value in baseline_s], [1e3 * value for value in remedy_s], last=True)
    assert seconds.speedup == pytest.approx(milliseconds.speedup)


def test_the_same_times_show_no_difference():
    assert interval([1.0] * 20, [1.0] * 20, last=True) == Interval(1.0, 1.0, 1.0)
    assert interval([1.0] * 20, [1.0] * 20, last=True).verdict == "no significant difference"


def test_one_round_shows_nothing():
    assert interval([5.0], [1.0], last=True) == Interval(pytest.approx(5.0), 0.0, math.inf)


def test_two_rounds_show_a_tenfold_gain():
    found = interval([10.0, 10.1], [1.0, 1.02], last=True)
    assert found.verdict == "faster"
    assert found.low < 10 < found.high


@pytest.mark.parametrize(("rounds", "critical"), [(8, 3), (10, 8), (15, 25), (20, 52), (30, 137), (50, 434)])
def test_exact_cut_agrees_with_the_published_table(rounds, critical):
    """Wilcoxon's table of the largest T that is significant at 5 %, two-sided."""
    assert _signed_rank_cut(rounds, 0.05) == critical


def test_normal_approximation_continues_the_exact_distribution(monkeypatch):
    from workbench.comparison import statistics

    exact = {rounds: statistics._signed_rank_cut(rounds, 0.01) for rounds in range(30, 51)}
    monkeypatch.setattr(statistics, "EXACT_ROUNDS", 0)
    statistics._signed_rank_cut.cache_clear()
    approximate = {rounds: statistics._signed_rank_cut(rounds, 0.01) for rounds in exact}
    statistics._signed_rank_cut.cache_clear()
    assert all(abs(exact[rounds] - approximate[rounds]) <= 4 for rounds in exact)


def test_all_looks_together_spend_at_most_the_error_rate():
    looks = [rounds for rounds in range(1, 2000) if is_look(rounds)]
    for last in range(1, 1100):
        spent = sum(error_rate(rounds, last=False) for rounds in looks if rounds < last)
        assert spent + error_rate(last, last=True) <= ERROR_RATE * (1 + 1e-12)


@pytest.mark.parametrize(("baseline_s", "remedy_s"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0])])
def test_times_that_make_no_sense_are_refused(baseline_s, remedy_s):
    with pytest.raises(UsageError):
        interval(baseline_s, remedy_s, last=True)


def bursts(rng, rounds):
    """Noise that lasts for many rounds and hits both alike, as a neighbour's job does, plus some of each run's own."""
    level, slow = 1.0, []
    for _ in range(rounds):
        level = rng.choice([1.0, 1.5, 3.0]) if rng.random() < 0.05 else level
        slow.append(level)
    return [[value * math.exp(rng.gauss(0, 0.05)) for value in slow] for _ in range(2)]


def heavy_tails(rng, rounds):
    return [[1 + 0.01 * rng.paretovariate(1.0) for _ in range(rounds)] for _ in range(2)]


def order_effect(rng, rounds):
    """Whoever runs second in a round is 5 % slower."""
    pairs = [rng.choice([(1.0, 1.05), (1.05, 1.0)]) for _ in range(rounds)]
    return [[pair[side] * math.exp(rng.gauss(0, 0.01)) for pair in pairs] for side in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("noise", [bursts, heavy_tails, order_effect])
@pytest.mark.parametrize("most_rounds", [40, 128])
def test_peeking_keeps_the_error_rate(noise, most_rounds):
    """Equal code, stopped at the first look that claims a difference, under noise that is anything but normal."""
    rng = random.Random(7)
    claims = sum(claims_a_difference(*noise(rng, most_rounds)) for _ in range(1000))
    # 5 % of 1,000 are 50; a true rate of 5 % gives more than 67 in less than one of a hundred such tests.
    assert claims <= 67


def claims_a_difference(baseline_s, remedy_s):
    total = len(baseline_s)
    looks = [rounds for rounds in range(1, total) if is_look(rounds)]
    return any(
        interval(baseline_s[:rounds], remedy_s[:rounds], last=rounds == total).verdict != "no significant difference"
        for rounds in [*looks, total]
    )
