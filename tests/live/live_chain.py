"""The whole chain in Cloud Storage and BigQuery themselves, with small jobs on this machine."""

from google.cloud import bigquery
from pyarrow import csv, parquet

from pipeline import storage
from tests.contract.warehouses import connect, put_table

DATE = "2024-03-05"
ROWS = "SELECT id, share, date, model_date FROM {} ORDER BY id"


def test_a_date_is_delivered_as_on_one_machine_value_by_value(
    project, another_project, live, tmp_path
):
    bucket, dataset = live.new_bucket(), live.new_dataset()
    parquet.write_table(csv.read_csv(project.folder / "visits.csv"), tmp_path / "visits")
    storage.open(bucket).upload(tmp_path / "visits", f"{bucket}/visits.parquet")
    put_table(f"{dataset}.visits", f"{bucket}/visits.parquet")
    project.replace_setting("= var/storage", f"= {bucket}/models")
    home = dataset.replace(".", "/")
    project.replace_setting("= var/warehouse.duckdb", f"= bigquery://{home}")
    for each in (project, another_project):
        ended = each.luigi("LoadToBigQuery", "--date", DATE)
        assert ended.status == 0, ended.output
    expected = another_project.table(ROWS.format("predictions_v1"))
    assert len(expected) == 40
    assert rows(dataset, "predictions_v1") == rows(dataset, "predictions") == expected


def rows(dataset: str, table: str) -> list[tuple]:
    client: bigquery.Client = connect(dataset.partition(".")[0])
    found = client.query_and_wait(ROWS.format(f"`{dataset}.{table}`"))
    return [tuple(row.values()) for row in found]
