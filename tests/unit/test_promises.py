"""A model that the table would refuse is told of when it has been trained."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import storage
from pipeline.layout import Layout, Run
from pipeline.promises import promised_columns, warn_of_misfit
from pipeline.records import File, Marker
from pipeline.warehouse import Batch
from pipeline.warehouse.local import LocalWarehouse

DATE = datetime.date(2024, 3, 1)
CONSTANTS = {"date": {"type": "date", "value": "2024-03-01"}, "run_id": "job"}
TABLE = {"id": "int64", "share": "double", "date": "date32[day]", "run_id": "string"}


@pytest.fixture
def warehouse(tmp_path) -> LocalWarehouse:
    """With a table of the columns `TABLE`."""
    house = LocalWarehouse(str(tmp_path / "warehouse.duckdb"), {})
    columns = {"id": [1], "share": [0.5], "date": pa.array([DATE], pa.date32()), "run_id": ["job"]}
    pq.write_table(pa.table(columns), tmp_path / "part-0.parquet")
    files = [str(tmp_path / "part-0.parquet")]
    house.load(Batch(DATE, files, TABLE, ["id"], str(tmp_path / "load")), "predictions_v1")
    return house


def train(folder, predicted: dict[str, str], **constants: object) -> Run:
    """A finished training run whose model says that it predicts `predicted`."""
    run = Layout(str(folder), "toy", 1).run("training", DATE)
    seal = {
        "key": [{"name": "id", "type": "int64"}],
        "predicted": [{"name": name, "type": kind} for name, kind in predicted.items()],
    }
    files = {"model.json": seal, "application.json": {"constants": constants}}
    store = storage.open(run.folder)
    for name, content in files.items():
        store.write(f"{run.folder}/job/{name}", json.dumps(content).encode())
    listed = [File(f"job/{name}", 1, "sha256:0") for name in files]
    marker = Marker("training", DATE, "job", 1, listed, {}, None, "then", "now")
    store.write(run.marker, marker.dump())
    return run


def test_what_a_model_will_deliver_is_its_key_its_predictions_and_all_constants(tmp_path):
    run = train(tmp_path, {"share": "double"}, shop="a", weight=1.5, flag=True)
    assert promised_columns(run.marker, CONSTANTS) == {
        **TABLE,
        "shop": "string",
        "weight": "double",
        "flag": "bool",
    }


def test_a_model_that_fits_is_not_spoken_of(tmp_path, warehouse, caplog):
    run = train(tmp_path, {"share": "double"})
    warn_of_misfit(run, CONSTANTS, warehouse, "predictions_v1")
    assert caplog.text == ""


def test_a_model_whose_predictions_would_be_refused_is_told_of_with_the_difference(
    tmp_path, warehouse, caplog
):
    run = train(tmp_path, {"share": "string"})
    warn_of_misfit(run, CONSTANTS, warehouse, "predictions_v1")
    assert "training of 2024-03-01: its predictions do not fit the table" in caplog.text
    assert "share is FLOAT64 in the table and STRING in the files" in caplog.text
    assert "Raise `version`" in caplog.text


def test_a_model_that_does_not_say_what_it_predicts_is_left_to_the_load(
    tmp_path, warehouse, caplog
):
    run = train(tmp_path, {"share": "double"})
    storage.open(run.folder).write(f"{run.folder}/job/model.json", b"no JSON")
    warn_of_misfit(run, CONSTANTS, warehouse, "predictions_v1")
    assert caplog.text == ""


def test_a_warehouse_that_can_not_be_looked_at_is_told_and_stops_nothing(tmp_path, caplog):
    (tmp_path / "warehouse.duckdb").write_text("no database")
    house = LocalWarehouse(str(tmp_path / "warehouse.duckdb"), {})
    run = train(tmp_path, {"share": "double"})
    warn_of_misfit(run, CONSTANTS, house, "predictions_v1")
    assert "whether its predictions fit predictions_v1 is not known" in caplog.text
