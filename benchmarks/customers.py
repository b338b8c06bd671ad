"""Makes features of any number of customers, the same each time: for speed, never for accuracy.

    python customers.py ROWS PARQUET_FILE [CSV_FILE]

Columns, types and shares of nulls are those of the example's features. Each chunk depends on its
number only.
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

SEED = 20
CHUNK_ROWS = 131_072


def main() -> None:
    rows, parquet, *csv = int(sys.argv[1]), *sys.argv[2:]
    schema = chunk(0, 1).schema
    with pq.ParquetWriter(parquet, schema, compression="zstd") as writer:
        for first in range(0, rows, CHUNK_ROWS):
            writer.write_table(chunk(first, min(CHUNK_ROWS, rows - first)))
    if csv:
        with pa.csv.CSVWriter(csv[0], schema) as writer:
            for batch in pq.ParquetFile(parquet).iter_batches():
                writer.write_batch(batch)


def chunk(first: int, rows: int) -> pa.Table:
    """Features of the customers `first` + 1 to `first` + `rows`."""
    dice = np.random.default_rng([SEED, first])
    age = dice.integers(1, 540, rows)
    frequency = np.minimum(dice.negative_binomial(1, 0.4, rows), 170)
    recency = np.where(frequency > 0, dice.integers(1, age + 1), age)
    amount = np.round(dice.gamma(2, 18, rows), 2)
    once, twice = frequency < 1, frequency < 2
    gap = np.where(once, 0, age - recency) / np.maximum(frequency, 1)
    return pa.table(
        {
            "customer_id": np.arange(first + 1, first + rows + 1),
            "recency_days": recency,
            "age_days": age,
            "frequency": frequency,
            "amount_mean": amount,
            "amount_std": pa.array(amount * dice.random(rows), mask=once),
            "amount_sum": amount * (frequency + 1),
            "quantity_sum": frequency + 1 + dice.poisson(1.5, rows),
            "gap_days_mean": pa.array(gap, mask=once),
            "gap_days_std": pa.array(gap * dice.random(rows), mask=twice),
            "purchase_days_91": np.minimum(frequency, dice.integers(0, 6, rows)),
        }
    )


if __name__ == "__main__":
    main()
