"""The models that benchmarks/accuracy.py compares with, against their papers' formulas."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln, hyp2f1

from benchmarks import rivals

BG_NBD = np.array([0.243, 4.414, 0.793, 2.426])
PARETO_NBD = np.array([0.553, 10.578, 0.606, 11.669])
# Never again; often; long ago; on the last day of all.
HISTORIES = rivals.Histories(
    np.array([0.0, 12.0, 3.0, 5.0]), np.array([0.0, 30.0, 4.0, 39.0]), np.array([39.0] * 4)
)


def hypergeometric(parameters: rivals.Floats, histories: rivals.Histories) -> rivals.Floats:
    """Log likelihood of Pareto/NBD as Fader & Hardie's note writes it down."""
    r, alpha, s, beta = parameters
    x, last, age = histories.repeats, histories.last, histories.age
    power, low, gap = r + s + x, max(alpha, beta), abs(alpha - beta)
    second = s + 1 if alpha >= beta else r + x

    def part(time: rivals.Floats) -> rivals.Floats:
        return hyp2f1(power, second, power + 1, gap / (low + time)) / (low + time) ** power

    alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
    gone = s / power * (part(last) - part(age))
    constant = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    return constant + np.log(alive + gone)


@pytest.mark.parametrize(
    "parameters", [PARETO_NBD, np.array([0.5, 4.0, 0.3, 40.0]), np.array([0.5, 20.0, 0.3, 4.0])]
)
def test_pareto_nbd_is_that_of_the_note(parameters):
    expected = hypergeometric(parameters, HISTORIES)
    assert rivals.pareto_nbd(parameters, HISTORIES) == pytest.approx(expected, rel=1e-9)


def test_the_chance_of_silence_under_bg_nbd_is_that_of_the_closed_form():
    """P(alive) of Fader, Hardie & Lee (2005); who is alive stays silent like a gamma-Poisson."""
    r, alpha, a, b = BG_NBD
    x, last, age = HISTORIES.repeats, HISTORIES.last, HISTORIES.age
    odds = a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x)
    alive = 1 / (1 + np.where(x > 0, odds, 0))
    expected = 1 - alive * (1 - ((alpha + age) / (alpha + age + 13)) ** (r + x))
    found = rivals.Fit(rivals.bg_nbd, BG_NBD, 0.0).quiet(HISTORIES, 13)
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_chance_of_silence_under_pareto_nbd_is_that_of_many_customers():
    """Customers drawn by the model's own story; those who never came back within 39 weeks."""
    random = np.random.default_rng(1)
    r, alpha, s, beta = PARETO_NBD
    rate = random.gamma(r, 1 / alpha, 1_000_000)
    lifetime = random.exponential(1 / random.gamma(s, 1 / beta, rate.size))
    first = random.exponential(1 / rate)
    first[first > lifetime] = np.inf
    expected = np.mean(first > 39 + 13) / np.mean(first > 39)
    found = rivals.Fit(rivals.pareto_nbd, PARETO_NBD, 0.0).quiet(HISTORIES, 13)
    assert found[0] == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("likelihood", [rivals.bg_nbd, rivals.pareto_nbd])
def test_longer_silence_is_never_likelier_than_shorter(likelihood):
    fit = rivals.Fit(likelihood, PARETO_NBD, 0.0)
    assert (fit.quiet(HISTORIES, 26) < fit.quiet(HISTORIES, 13)).all()


def test_a_history_is_of_the_days_before_the_date_in_weeks():
    days = ["2024-01-01", "2024-01-08", "2024-01-08", "2024-01-15", "2024-01-22"]
    purchases = pd.DataFrame({"customer_id": [7, 7, 7, 8, 8], "date": pd.to_datetime(days)})
    customers, found = rivals.histories(purchases, pd.Timestamp("2024-01-22"))
    assert list(customers) == [7, 8]
    assert list(found.repeats) == [1, 0]
    assert list(found.last) == [1, 0]
    assert found.age == pytest.approx([20 / 7, 6 / 7])
