"""Forty dates predicted by the pipeline, against what came true, beside two models of the papers.

    .venv/bin/python benchmarks/accuracy.py

Each date is asked for by the `luigi` command, with schedule = daily: its model is trained for that
same date. BG/NBD and Pareto/NBD are fitted to the same customers and days. Both must first find, on
the papers' sample, what the papers found; else nothing is measured.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import rivals
from measuring import LUIGI, ROOT, head, measure, project
from sklearn.metrics import log_loss, roc_auc_score

FIRST, LAST = "1997-07-02", "1998-04-01"
HORIZON_DAYS = 91
# Fader, Hardie & Lee (2005), table 2: parameters and log likelihood, on 39 weeks of the sample.
SAMPLE_DATE = "1997-10-01"
PUBLISHED = {
    "BG/NBD": ((0.243, 4.414, 0.793, 2.426), -9582.4),
    "Pareto/NBD": ((0.553, 10.578, 0.606, 11.669), -9595.0),
}
LIKELIHOODS = {"BG/NBD": rivals.bg_nbd, "Pareto/NBD": rivals.pareto_nbd}
OURS = "the pipeline"
GOAL_SHARE = 38 / 40

Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """How good the predictions of one date were."""

    auc: float
    loss: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--every", type=int, default=1, help="only each N-th of the forty weeks")
    dates = list(pd.date_range(FIRST, LAST, freq="7D"))[:: options.parse_args().every]
    head(f"accuracy: {len(dates)} dates, {HORIZON_DAYS} days ahead")
    compare_with_papers()
    purchases = read_purchases("transactions")
    with project() as folder:
        scores = {OURS: score_pipeline(folder, purchases, dates)}
    for name in LIKELIHOODS:
        scores[name] = score_rival(name, purchases, dates)
    tell(scores, dates)


def compare_with_papers() -> None:
    """Fit the rivals to the papers' sample. Raises `SystemExit` where the figures are others."""
    _, sample = rivals.histories(read_purchases("transactions-sample"), pd.Timestamp(SAMPLE_DATE))
    for name, (parameters, total) in PUBLISHED.items():
        found = rivals.fit(LIKELIHOODS[name], sample)
        told = f"{_round(found.parameters, 3)}, log likelihood {found.total:.1f}"
        print(f"  {name:<12} on the papers' sample: {told}")
        if not np.allclose(found.parameters, parameters, atol=1e-3, rtol=0):
            sys.exit(f"{name} is not that of the papers, {_round(parameters, 3)}: {told}.")
        if abs(found.total - total) > 0.1:
            sys.exit(f"{name} is not that of the papers, log likelihood {total}: {told}.")


def read_purchases(name: str) -> pd.DataFrame:
    path = ROOT / "data" / f"{name}.csv.gz"
    return pd.read_csv(path, usecols=["customer_id", "date"], parse_dates=["date"])


def find_churned(purchases: pd.DataFrame, customers: pd.Index, date: pd.Timestamp) -> Truths:
    """Which of `customers` bought nothing in the days of the horizon, the first of them `date`."""
    end = date + pd.Timedelta(days=HORIZON_DAYS)
    came = purchases.loc[(purchases["date"] >= date) & (purchases["date"] < end), "customer_id"]
    return ~customers.isin(came)


def score_pipeline(
    folder: Path, purchases: pd.DataFrame, dates: Sequence[pd.Timestamp]
) -> list[Score]:
    """Load every date by the `luigi` command, two at a time, and read the table."""
    settings = folder / "luigi.cfg"
    settings.write_text(settings.read_text().replace("schedule = monthly", "schedule = daily"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda date: load(folder, date), dates))
    with duckdb.connect(str(folder / "var" / "warehouse.duckdb"), read_only=True) as base:
        return [score_loaded(base, purchases, date) for date in dates]


def load(folder: Path, date: pd.Timestamp) -> None:
    """Train for a date and load its predictions."""
    command = [*LUIGI, "pipeline", "LoadToBigQuery", "--date", str(date.date())]
    measure(command, folder, alone=True)


def score_loaded(
    base: duckdb.DuckDBPyConnection, purchases: pd.DataFrame, date: pd.Timestamp
) -> Score:
    """Raises `SystemExit` when not just the customers of the date are predicted, by its model."""
    query = (
        "SELECT customer_id, probability FROM predictions WHERE date = $date"
        " AND model_date = $date ORDER BY customer_id"
    )
    found = base.execute(query, {"date": date.date()}).df()
    customers, _ = rivals.histories(purchases, date)
    if not customers.equals(pd.Index(found["customer_id"])):
        sys.exit(f"The predictions of {date.date()} are not those of its customers.")
    return score(found["probability"].to_numpy(), find_churned(purchases, customers, date))


def score_rival(name: str, purchases: pd.DataFrame, dates: Sequence[pd.Timestamp]) -> list[Score]:
    """Fit a rival to what was known on each date, from the date before's parameters on."""
    scores, start = [], None
    for date in dates:
        customers, known = rivals.histories(purchases, date)
        fit = rivals.fit(LIKELIHOODS[name], known, start)
        start = fit.parameters
        chances = fit.quiet(known, HORIZON_DAYS / rivals.WEEK_DAYS)
        scores.append(score(chances, find_churned(purchases, customers, date)))
    return scores


def score(chances: rivals.Floats, churned: Truths) -> Score:
    return Score(float(roc_auc_score(churned, chances)), float(log_loss(churned, chances)))


def tell(scores: Mapping[str, Sequence[Score]], dates: Sequence[pd.Timestamp]) -> None:
    """Print a line per date, the means, and how often the pipeline is ahead."""
    print("  ROC AUC (higher is better) / log loss (lower is better)")
    print(f"  {'date':<10}" + "".join(f"{name:>20}" for name in scores))
    for number, date in enumerate(dates):
        tell_line(str(date.date()), [each[number] for each in scores.values()])
    means = {name: mean(each) for name, each in scores.items()}
    tell_line("mean", list(means.values()))
    for name in LIKELIHOODS:
        pairs = list(zip(scores[OURS], scores[name], strict=True))
        auc = sum(ours.auc > rival.auc for ours, rival in pairs)
        loss = sum(ours.loss < rival.loss for ours, rival in pairs)
        goal = f" (goal: {GOAL_SHARE:.0%}){verdict(auc >= GOAL_SHARE * len(dates))}"
        print(
            f"  ahead of {name} on {auc} of {len(dates)} dates in ROC AUC"
            f"{goal if name == 'BG/NBD' else ''}, on {loss} in log loss"
        )
    ours = means[OURS]
    rival_means = [means[name] for name in LIKELIHOODS]
    for figure, first in (
        ("ROC AUC", all(ours.auc > each.auc for each in rival_means)),
        ("log loss", all(ours.loss < each.loss for each in rival_means)),
    ):
        print(f"  ahead of both in the mean {figure}{verdict(first)}")


def verdict(reached: bool) -> str:
    return f": {'yes' if reached else 'NO'}"


def tell_line(title: str, scores: Sequence[Score]) -> None:
    print(f"  {title:<10}" + "".join(f"{each.auc:>11.4f} / {each.loss:.4f}" for each in scores))


def mean(scores: Sequence[Score]) -> Score:
    return Score(
        statistics.fmean(each.auc for each in scores),
        statistics.fmean(each.loss for each in scores),
    )


def _round(values: Sequence[float] | rivals.Floats, digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


if __name__ == "__main__":
    main()
