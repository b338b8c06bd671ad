"""The rival of end_to_end.py: what a person would write who needs the predictions of one date.

    python plain_script.py DATE HORIZON_DAYS, in a folder with queries, model package and data

It reads, fits, predicts and loads in one process. The queries are in DuckDB's dialect already.
"""

import datetime
import sys
from pathlib import Path

import duckdb

from prediction.model import Model


def main() -> None:
    date = datetime.date.fromisoformat(sys.argv[1])
    start = date - datetime.timedelta(days=int(sys.argv[2]))
    features, labels = Path("features.sql").read_text(), Path("labels.sql").read_text()
    source = duckdb.connect()
    source.execute(
        "CREATE TABLE transactions AS SELECT * FROM read_csv('data/transactions.csv.gz')"
    )
    known = source.execute(features, {"date": start}).df().set_index("customer_id")
    window = {"start": start, "stop": date}
    truth = source.execute(labels, window).df().set_index("customer_id")
    model = Model().fit(known.join(truth, how="inner"))
    data = source.execute(features, {"date": date}).df().set_index("customer_id")
    predictions = model.predict(data).reset_index()  # noqa: F841 - DuckDB finds it by its name
    with duckdb.connect("plain.duckdb") as warehouse:
        warehouse.execute(
            "CREATE TABLE predictions AS SELECT *, $date::DATE AS date FROM predictions",
            {"date": date},
        )


if __name__ == "__main__":
    main()
