"""Intervals against values by hand, and against how often they hold what they should."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from prediction.core import intervals, metrics

NORMAL = NormalDist()
WORLDS = 300


def world(seed: int, rows: int = 400, distance: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Labels, three in ten true, and normal scores that lie `distance` apart."""
    dice = np.random.default_rng(seed)
    truth = dice.random(rows) < 0.3
    return truth, dice.normal(size=rows) + distance * truth


def test_a_mean_by_hand():
    low, high = intervals.mean(np.array([1.0, 2.0, 3.0, 4.0]))
    half = 1.959964 * 1.290994 / 2
    assert (low, high) == pytest.approx((2.5 - half, 2.5 + half), abs=1e-6)
    assert intervals.mean(np.array([1.0])) is None


def test_a_share_by_hand_and_at_its_ends():
    # Newcombe (1998), table I: 81 of 263, method 3
    assert intervals.share(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.share(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert intervals.share(0, 20)[0] == 0
    assert intervals.share(20, 20)[1] == 1
    assert intervals.share(0, 0) is None


def test_the_area_under_the_curve_by_counting_pairs():
    truth = np.array([True, True, True, False, False, False])
    score = np.array([0.9, 0.5, 0.4, 0.5, 0.3, 0.1])
    above = np.array([1.0, 2.5 / 3, 2 / 3])  # the share of false rows below each true one
    below = np.array([1.5 / 3, 1.0, 1.0])
    error = (above.var(ddof=1) / 3 + below.var(ddof=1) / 3) ** 0.5
    low, high = intervals.auc(truth, score)
    assert low == pytest.approx(above.mean() - 1.959964 * error, abs=1e-6)
    assert high == 1.0
    assert intervals.auc(truth[:4], score[:4]) is None


def test_19_of_20_intervals_of_the_area_under_the_curve_hold_it():
    true = NORMAL.cdf(1.2 / 2**0.5)
    found = [intervals.auc(*world(seed)) for seed in range(WORLDS)]
    assert 0.92 <= np.mean([low <= true <= high for low, high in found]) <= 0.98


@pytest.mark.slow
def test_19_of_20_intervals_of_the_average_precision_hold_it():
    true = average_precision_score(*world(10_000, rows=2_000_000))
    found = [intervals.average_precision(*world(seed), seed) for seed in range(WORLDS)]
    assert 0.91 <= np.mean([low <= true <= high for low, high in found]) <= 0.98


def test_the_average_precision_of_many_rows_is_told_by_groups_of_neighbours():
    truth, score = world(0, rows=50_000)
    low, high = intervals.average_precision(truth, score, 0)
    assert low < average_precision_score(truth, score) < high
    assert 0.005 < high - low < 0.03


def test_19_of_20_intervals_of_a_regression_hold_what_they_should():
    def found(seed: int) -> dict:
        dice = np.random.default_rng(seed)
        value = dice.normal(size=300)
        truth = pd.Series(value + 0.5 * dice.normal(size=300))
        predicted = pd.DataFrame({"label": value})
        return intervals.measure("regression", truth, predicted, "label", seed)

    true = {"rmse": 0.5, "mae": 0.5 * (2 / np.pi) ** 0.5, "r2": 1 - 0.25 / 1.25}
    worlds = [found(seed) for seed in range(WORLDS)]
    for name, value in true.items():
        held = np.mean([each[name][0] <= value <= each[name][1] for each in worlds])
        assert 0.92 <= held <= 0.98, name


def test_19_of_20_intervals_of_f1_hold_it():
    def found(seed: int) -> tuple[float, float]:
        dice = np.random.default_rng(seed)
        hits, missed, wrong, _ = dice.multinomial(300, [0.3, 0.1, 0.1, 0.5])
        return intervals.f1(hits, hits + wrong, hits + missed, 300, seed)

    worlds = [found(seed) for seed in range(WORLDS)]
    assert 0.91 <= np.mean([low <= 0.75 <= high for low, high in worlds]) <= 0.98


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_an_interval_holds_the_metric_that_it_is_of(kind):
    dice = np.random.default_rng(0)
    truth, score = world(0)
    chance = 1 / (1 + np.exp(-score))
    label, predicted = {
        "binary": (truth, pd.DataFrame({"score": chance})),
        "multiclass": (
            np.where(truth, "yes", "no"),
            pd.DataFrame(
                {
                    "score": np.where(chance > 0.7, "yes", "no"),
                    "probability_yes": chance,
                    "probability_no": 1 - chance,
                }
            ),
        ),
        "regression": (score, pd.DataFrame({"score": score + dice.normal(size=len(score))})),
    }[kind]
    found = metrics.measure(kind, pd.Series(label), predicted, "score")
    around = intervals.measure(kind, pd.Series(label), predicted, "score", 0)
    assert set(around) == set(found)
    for name, (low, high) in around.items():
        assert low < found[name] < high, name


def test_the_same_seed_finds_the_same_interval():
    truth, score = world(0)
    first, again, other = (intervals.average_precision(truth, score, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_scores_that_are_all_the_same_tell_nothing_apart():
    truth, _ = world(0)
    assert intervals.auc(truth, np.full(len(truth), 0.3)) == (0.5, 0.5)
