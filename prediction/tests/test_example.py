"""The example through the whole chain: its predictions against what the customers really did."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks import rivals

ROOT = Path(__file__).parents[2]
TRANSACTIONS = ROOT / "data" / "transactions.csv.gz"
DATE = "1998-04-01"
HORIZON_DAYS = 91

pytestmark = pytest.mark.slow


def load(folder: Path, transactions: Path, *words: str) -> Path:
    """Run the chain for DATE on a file of transactions, trained on that day, in `folder`.

    `words` are more of the command line.
    """
    shutil.copytree(ROOT / "prediction", folder / "prediction", dirs_exist_ok=True)
    settings = (ROOT / "luigi.cfg").read_text()
    (folder / "luigi.cfg").write_text(settings.replace("schedule = monthly", "schedule = daily"))
    (folder / "data").mkdir()
    shutil.copy(transactions, folder / "data" / "transactions.csv.gz")
    run("LoadToBigQuery", folder, *words)
    return folder


def run(task: str, folder: Path, *words: str) -> None:
    """Run `task` for DATE in `folder`; `words` are more of the command line."""
    command = [sys.executable, "-m", "luigi", "--module", "pipeline"]
    command += [task, "--date", DATE, *words]
    environment = {name: value for name, value in os.environ.items() if "LUIGI" not in name}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def predictions(folder: Path) -> pd.DataFrame:
    with duckdb.connect(str(folder / "var" / "warehouse.duckdb"), read_only=True) as base:
        query = "SELECT customer_id, label, probability FROM predictions ORDER BY customer_id"
        return base.sql(query).to_arrow_table().to_pandas()


def features(folder: Path) -> pa.Table:
    pattern = f"var/storage/churn/v1/data/application/date={DATE}/*/part-0.parquet"
    [path] = folder.glob(pattern)
    return pq.read_table(path)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Path:
    return load(tmp_path_factory.mktemp("example"), TRANSACTIONS)


def test_the_predictions_hold_against_what_the_customers_did(loaded):
    bought = pd.read_csv(TRANSACTIONS, parse_dates=["date"])
    start = pd.Timestamp(DATE)
    later = bought[(bought.date >= start) & (bought.date < start + pd.Timedelta(days=HORIZON_DAYS))]
    predicted = predictions(loaded)
    churned = ~predicted.customer_id.isin(later.customer_id)
    assert set(predicted.customer_id) == set(bought[bought.date < start].customer_id)
    assert roc_auc_score(churned, predicted.probability) >= 0.835
    assert log_loss(churned, predicted.probability) <= 0.302


def test_the_label_is_the_likelier_side(loaded):
    predicted = predictions(loaded)
    assert (predicted.label == (predicted.probability >= 0.5)).all()
    assert predicted.label.nunique() == 2


def test_its_evaluation_says_the_same(loaded):
    run("EvaluatePredictions", loaded)
    with duckdb.connect(str(loaded / "var" / "warehouse.duckdb"), read_only=True) as base:
        query = "SELECT rows, unlabelled, roc_auc, log_loss, actual FROM evaluations"
        [(rows, unlabelled, area, loss, actual)] = base.sql(query).fetchall()
    assert (rows, unlabelled) == (23_570, 0)
    assert area == pytest.approx(0.839, abs=0.002)
    assert loss == pytest.approx(0.300, abs=0.002)
    assert 0.8 < actual < 0.95


def test_what_happens_from_the_date_on_changes_nothing(loaded, tmp_path):
    bought = pd.read_csv(TRANSACTIONS, dtype=str)
    before = bought[bought.date < DATE]
    assert len(before) < len(bought)
    before.to_csv(tmp_path / "before.csv.gz", index=False)
    cut = load(tmp_path / "cut", tmp_path / "before.csv.gz")
    assert features(cut).equals(features(loaded))
    pd.testing.assert_frame_equal(predictions(cut), predictions(loaded), check_exact=True)


@pytest.mark.parametrize(
    ("likelihood", "parameters", "total"),
    [
        pytest.param(rivals.bg_nbd, (0.243, 4.414, 0.793, 2.426), -9582.4, id="BG/NBD"),
        pytest.param(rivals.pareto_nbd, (0.553, 10.578, 0.606, 11.669), -9595.0, id="Pareto/NBD"),
    ],
)
def test_the_rivals_find_what_the_papers_found_on_the_papers_sample(likelihood, parameters, total):
    """Fader, Hardie & Lee (2005), table 2: 39 weeks of 2,357 customers."""
    path = TRANSACTIONS.with_name("transactions-sample.csv.gz")
    purchases = pd.read_csv(path, parse_dates=["date"])
    customers, sample = rivals.histories(purchases, pd.Timestamp("1997-10-01"))
    found = rivals.fit(likelihood, sample)
    assert len(customers) == 2357
    assert found.parameters == pytest.approx(parameters, abs=1e-3)
    assert found.total == pytest.approx(total, abs=0.1)
