"""What marketing science would take instead of the model: BG/NBD and Pareto/NBD.

Both know of a customer how often she came back, when last, and for how long she is known. Here they
are written down from their papers and fitted by maximum likelihood.

- BG/NBD: Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24.
- Pareto/NBD: Schmittlein, Morrison & Colombo (1987), Counting Your Customers, Management
  Science 33; its likelihood as in Fader & Hardie (2005), A Note on Deriving the Pareto/NBD Model.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

Floats = npt.NDArray[np.float64]
WEEK_DAYS = 7
# Of Gauss and Legendre, on [0, 1].
_POINTS, _HALVES = np.polynomial.legendre.leggauss(24)
_NODES, _WEIGHTS = (_POINTS + 1) / 2, _HALVES / 2
# exp(-40) of an integrand adds nothing that a float would show.
_NOTHING = 40.0
# Far beyond what any data say; there the likelihood is flat.
_BOUND = 12.0


@dataclass(frozen=True)
class Histories:
    """What is known of customers on a date, each array (n_customers,): counts, then weeks.

    `repeats` purchase days after the first one, the last of them `last` weeks after it; the
    customer has been known for `age` weeks.
    """

    repeats: Floats
    last: Floats
    age: Floats

    def later(self, weeks: float) -> "Histories":
        """The same customers if they buy nothing for so many weeks more."""
        return Histories(self.repeats, self.last, self.age + weeks)

    def distinct(self) -> tuple["Histories", npt.NDArray[np.intp], Floats]:
        """Each history once, for every customer her place among them, and how often each is."""
        triples = np.column_stack([self.repeats, self.last, self.age])
        found, places, counts = np.unique(triples, axis=0, return_inverse=True, return_counts=True)
        return Histories(*found.T), places.ravel(), counts.astype(float)


# log likelihood of each history (n,) by its parameters
Likelihood = Callable[[Floats, Histories], Floats]


@dataclass(frozen=True)
class Fit:
    """Parameters of a rival, and the log likelihood of all customers under them."""

    likelihood: Likelihood
    parameters: Floats
    total: float

    def quiet(self, histories: Histories, weeks: float) -> Floats:
        """Chance of no purchase within so many weeks (n_customers,).

        By its definition: how likely the history with that silence is, by how likely it is so far.
        The same as the closed forms of P(X(t) = 0 | x, t_x, T) in Fader & Hardie's notes.
        """
        distinct, places, _ = histories.distinct()
        longer = self.likelihood(self.parameters, distinct.later(weeks))
        chances: Floats = np.exp(longer - self.likelihood(self.parameters, distinct))[places]
        return chances


def histories(purchases: pd.DataFrame, date: pd.Timestamp) -> tuple[pd.Index, Histories]:
    """Customers who bought before `date`, ascending, and their histories up to the day before it.

    `purchases` has a row per purchase with `customer_id` and `date` (datetime64); purchases of
    the same day are one.
    """
    before = purchases.loc[purchases["date"] < date, ["customer_id", "date"]].drop_duplicates()
    days = before.groupby("customer_id")["date"].agg(["count", "min", "max"])
    until = date - pd.Timedelta(days=1)
    last = (days["max"] - days["min"]).dt.days / WEEK_DAYS
    age = (until - days["min"]).dt.days / WEEK_DAYS
    return days.index, Histories((days["count"] - 1.0).to_numpy(), last.to_numpy(), age.to_numpy())


def fit(likelihood: Likelihood, histories: Histories, start: Floats | None = None) -> Fit:
    """Maximise the likelihood over four positive parameters, from `start` (all 1) on."""
    distinct, _, counts = histories.distinct()

    def mean_loss(logs: Floats) -> float:
        return -float(counts @ likelihood(np.exp(logs), distinct)) / counts.sum()

    begin = np.zeros(4) if start is None else np.log(start)
    bounds = [(-_BOUND, _BOUND)] * 4
    options = {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000, "maxfun": 100_000}
    found = minimize(
        mean_loss, begin, method="L-BFGS-B", jac="3-point", bounds=bounds, options=options
    )
    return Fit(likelihood, np.exp(found.x), -float(found.fun) * counts.sum())


def bg_nbd(parameters: Floats, histories: Histories) -> Floats:
    """Log likelihood under r, alpha, a, b: who stops, stops right after a purchase."""
    r, alpha, a, b = parameters
    x, last, age = histories.repeats, histories.last, histories.age
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    # Nobody stops before her first repeat: the 1 below stands for a term that counts for nothing.
    tried = np.where(x > 0, x, 1.0)
    gone = betaln(a + 1, b + tried - 1) - betaln(a, b) - (r + x) * np.log(alpha + last)
    gone = np.where(x > 0, gone, -np.inf)
    total: Floats = common + np.logaddexp(alive, gone)
    return total


def pareto_nbd(parameters: Floats, histories: Histories) -> Floats:
    """Log likelihood under r, alpha, s, beta: who stops, may stop at any moment.

    The chance to have stopped between the last purchase and now is an integral over
    (alpha + t)^-(r + x) (beta + t)^-(s + 1). The notes give two hypergeometric functions for it,
    whose difference cancels; by quadrature in log(alpha + t) it is a sum of positive terms.
    """
    r, alpha, s, beta = parameters
    x, last, age = histories.repeats, histories.last, histories.age
    power = r + x + s
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    alive = -(r + x) * np.log(alpha + age) - s * np.log(beta + age)
    width = np.minimum(np.log((alpha + age) / (alpha + last)), _NOTHING / power)
    step = width[:, None] * _NODES
    time = (alpha + last)[:, None] * np.exp(step)
    terms = -power[:, None] * step + (s + 1) * np.log(time / (time - alpha + beta))
    with np.errstate(divide="ignore"):  # bought on the last day of all: no time to stop
        gone = np.log(np.exp(terms) @ _WEIGHTS * width)
    gone += np.log(s) - power * np.log(alpha + last)
    total: Floats = common + np.logaddexp(alive, gone)
    return total
