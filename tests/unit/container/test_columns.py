"""What is said of a run's files by who only takes them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from container.columns import describe_columns, describe_drift
from pipeline.errors import DataError


def test_drift_is_described_apart_from_predictions(tmp_path):
    pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "part-0.parquet")
    pq.write_table(pa.table({"feature": ["x"], "psi": [0.5]}), tmp_path / "drift.parquet")
    assert describe_columns(tmp_path) == {"id": "int64"}
    assert describe_drift(tmp_path) == {
        "columns": {"feature": "string", "psi": "double"},
        "rows": 1,
    }


def test_a_model_may_tell_nothing_of_drift(tmp_path):
    assert describe_drift(tmp_path) == {}


def test_a_file_of_drift_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "drift.parquet").write_text("feature,psi\n")
    with pytest.raises(DataError, match=r"drift\.parquet can't be read as Parquet"):
        describe_drift(tmp_path)


def test_files_of_predictions_that_differ_are_named(tmp_path):
    pq.write_table(pa.table({"id": [1]}), tmp_path / "part-0.parquet")
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "part-1.parquet")
    with pytest.raises(DataError, match=r"part-1\.parquet has other columns or types"):
        describe_columns(tmp_path)
