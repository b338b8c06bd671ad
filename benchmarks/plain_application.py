"""The rivals of application.py, which do nothing but read, predict and write.

    python plain_application.py batches|whole MODEL_FILE SOURCE TARGET

`batches`: Parquet to Parquet, a batch at a time. `whole`: CSV to CSV by pandas, all at once.
"""

import sys
from typing import Any

import joblib
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

KEY = "customer_id"
BATCH_ROWS = 131_072


def main() -> None:
    how, model, source, target = sys.argv[1:]
    predict = {"batches": predict_batches, "whole": predict_whole}[how]
    predict(joblib.load(model), source, target)


def predict_batches(model: Any, source: str, target: str) -> None:
    types = {KEY: pa.int64(), "label": pa.bool_(), "probability": pa.float64()}
    names = list(model.pipeline_.feature_names_in_)
    with pq.ParquetWriter(target, pa.schema(types), compression="zstd") as writer:
        for batch in pq.ParquetFile(source).iter_batches(BATCH_ROWS):
            chance = model.pipeline_.predict_proba(batch.select(names).to_pandas())[:, 1]
            writer.write_batch(
                pa.record_batch([batch.column(KEY), chance > 0.5, chance], schema=writer.schema)
            )


def predict_whole(model: Any, source: str, target: str) -> None:
    model.predict(pd.read_csv(source, index_col=KEY)).to_csv(target)


if __name__ == "__main__":
    main()
