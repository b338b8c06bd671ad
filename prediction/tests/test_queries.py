"""The example's queries: what they compute, and that no date sees its future.

They go through the local warehouse, as in `luigi --module pipeline ExtractData`.
"""

import datetime
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline import queries, warehouse

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "transactions-sample.csv.gz"
EVERYTHING = ROOT / "data" / "transactions.csv.gz"
FEATURES = (ROOT / "prediction" / "queries" / "features.sql").read_text()
LABELS = (ROOT / "prediction" / "queries" / "labels.sql").read_text()
DATES = [datetime.date(1997, 1, 2), datetime.date(1997, 7, 2), datetime.date(1998, 4, 1)]
START, STOP = datetime.date(1997, 12, 31), datetime.date(1998, 4, 1)

# Prints the SHA-256 of the training data.
HASH = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from test_queries import SAMPLE, compose_training, digest
print(digest(compose_training(), SAMPLE, Path(sys.argv[2])))
"""


def compose_training() -> queries.Composed:
    return queries.compose_training(FEATURES, LABELS, ["customer_id"], START, STOP)


def extract(composed: queries.Composed, transactions: Path, folder: Path) -> Path:
    house = warehouse.open(str(folder / "x.duckdb"), {"transactions": str(transactions)})
    extraction = house.extract(
        composed.text, composed.parameters, ["customer_id"], str(folder / "out")
    )
    [file] = extraction.files
    return Path(file)


def digest(composed: queries.Composed, transactions: Path, folder: Path) -> str:
    return hashlib.sha256(extract(composed, transactions, folder).read_bytes()).hexdigest()


@pytest.fixture
def features(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    def read(date: datetime.date, transactions: Path = SAMPLE) -> pd.DataFrame:
        file = extract(queries.compose_application(FEATURES, date), transactions, tmp_path)
        return pd.read_parquet(file).set_index("customer_id")

    return read


@pytest.fixture
def training(tmp_path: Path) -> pd.DataFrame:
    return pd.read_parquet(extract(compose_training(), SAMPLE, tmp_path)).set_index("customer_id")


def read_sample() -> pd.DataFrame:
    return pd.read_csv(SAMPLE, parse_dates=["date"])


def compute_features(date: datetime.date) -> pd.DataFrame:
    """The ten features by pandas, from the definitions and not from the SQL."""
    moment = pd.Timestamp(date)
    rows = read_sample()
    days = rows[rows["date"] < moment].groupby(["customer_id", "date"], as_index=False).sum()
    days["gap"] = days.groupby("customer_id")["date"].diff().dt.days
    days["recent"] = days["date"] >= moment - pd.Timedelta(days=91)
    customers = days.groupby("customer_id")
    return pd.DataFrame(
        {
            "recency_days": (moment - customers["date"].max()).dt.days,
            "age_days": (moment - customers["date"].min()).dt.days,
            "frequency": customers.size() - 1,
            "amount_mean": customers["amount"].mean(),
            "amount_std": customers["amount"].std(),
            "amount_sum": customers["amount"].sum(),
            "quantity_sum": customers["quantity"].sum(),
            "gap_days_mean": customers["gap"].mean(),
            "gap_days_std": customers["gap"].std(),
            "purchase_days_91": customers["recent"].sum(),
        }
    )


@pytest.mark.parametrize("date", [*DATES, datetime.date(1998, 7, 1)])
def test_features_are_what_pandas_computes_from_their_definitions(features, date):
    pd.testing.assert_frame_equal(features(date), compute_features(date), rtol=1e-12)


@pytest.mark.parametrize("date", DATES)
def test_features_have_one_row_per_customer_who_bought_before_the_date(features, date):
    rows = read_sample()
    buyers = rows.loc[rows["date"] < pd.Timestamp(date), "customer_id"].unique()
    assert features(date).index.tolist() == sorted(buyers)


@pytest.mark.parametrize("date", DATES)
def test_features_of_a_date_do_not_change_when_its_future_is_deleted(features, tmp_path, date):
    rows = read_sample()
    past = tmp_path / "past.csv"
    rows[rows["date"] < pd.Timestamp(date)].to_csv(past, index=False)
    pd.testing.assert_frame_equal(features(date, past), features(date), check_exact=True)


@pytest.mark.parametrize("date", DATES)
def test_features_of_a_date_do_not_change_when_its_future_does(features, tmp_path, date):
    rows = read_sample()
    future = rows["date"] >= pd.Timestamp(date)
    rows.loc[future, ["quantity", "amount"]] = [99, 1286.01]
    rows.loc[future, "customer_id"] = rows.loc[future, "customer_id"].to_numpy()[::-1]
    strangers = rows[future].assign(customer_id=lambda new: new["customer_id"] + 100_000)
    changed = tmp_path / "changed.csv"
    pd.concat([strangers, rows]).to_csv(changed, index=False)
    pd.testing.assert_frame_equal(features(date, changed), features(date), check_exact=True)


def test_what_happens_on_the_day_before_is_seen(features, tmp_path):
    rows = pd.DataFrame(
        {"customer_id": [1, 1], "date": ["1998-03-31", "1998-04-01"], "quantity": 1, "amount": 9.5}
    )
    rows.to_csv(tmp_path / "rows.csv", index=False)
    found = features(STOP, tmp_path / "rows.csv").loc[1]
    assert found["recency_days"] == 1
    assert found["frequency"] == 0
    assert found["amount_sum"] == 9.5
    assert found[["amount_std", "gap_days_mean", "gap_days_std"]].isna().all()


def test_purchases_of_one_day_are_one_visit(features, tmp_path):
    rows = pd.DataFrame(
        {"customer_id": 1, "date": ["1998-01-01"] * 2 + ["1998-01-11"], "quantity": 1, "amount": 2}
    )
    rows.to_csv(tmp_path / "rows.csv", index=False)
    found = features(STOP, tmp_path / "rows.csv").loc[1]
    assert (found["frequency"], found["amount_mean"], found["gap_days_mean"]) == (1, 3.0, 10.0)


def test_training_pairs_features_as_of_the_start_with_who_bought_until_the_stop(training, features):
    rows = read_sample()
    window = (rows["date"] >= pd.Timestamp(START)) & (rows["date"] < pd.Timestamp(STOP))
    churned = ~training.index.isin(rows.loc[window, "customer_id"])
    assert training["churned"].tolist() == churned.tolist()
    assert training["churned"].dtype == bool
    pd.testing.assert_frame_equal(training.drop(columns="churned"), features(START))


def test_a_label_counts_the_first_day_of_its_window_and_not_the_last(tmp_path):
    rows = pd.DataFrame(
        {"customer_id": [1, 1, 2, 2], "date": ["1997-01-01", START, "1997-01-01", STOP]}
    ).assign(quantity=1, amount=1.5)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    found = pd.read_parquet(extract(compose_training(), tmp_path / "rows.csv", tmp_path))
    assert dict(zip(found["customer_id"], found["churned"], strict=True)) == {1: False, 2: True}


@pytest.mark.slow
def test_twenty_runs_on_all_threads_give_the_same_bytes(tmp_path):
    everything = tmp_path / "everything.parquet"
    rows = pd.read_csv(EVERYTHING, parse_dates=["date"])
    rows.assign(date=rows["date"].dt.date).to_parquet(everything)
    assert len({digest(compose_training(), everything, tmp_path) for _ in range(20)}) == 1


def test_the_same_bytes_come_wherever_the_machine_stands(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", HASH, __file__, str(tmp_path)],
        env={**os.environ, "TZ": "Europe/Stockholm"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.strip() == digest(compose_training(), SAMPLE, tmp_path)


def test_the_files_in_prediction_data_are_what_the_queries_make(training, features):
    for name, expected in (("training", training), ("application", features(STOP))):
        file = ROOT / "prediction" / "data" / f"{name}.csv"
        found = pd.read_csv(file, index_col="customer_id")
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
