"""The example's queries in BigQuery itself, by `make test-live`."""

import pandas as pd
import pytest
from pyarrow import csv

from pipeline import queries
from prediction.tests.test_queries import DATES, FEATURES, SAMPLE, compose_training, extract
from tests.contract.warehouses import Side, google_side


@pytest.fixture
def side(live) -> Side:
    return google_side(live)


@pytest.mark.parametrize(
    "composed",
    [
        pytest.param(compose_training(), id="training"),
        *(pytest.param(queries.compose_application(FEATURES, day), id=str(day)) for day in DATES),
    ],
)
def test_a_query_answers_in_bigquery_as_on_this_machine(side, tmp_path, composed):
    house = side.make({"transactions": csv.read_csv(SAMPLE)})
    folder = f"{side.folder}/out"
    found = house.extract(composed.text, composed.parameters, ["customer_id"], folder)
    answer = pd.concat([side.get(url).to_pandas() for url in found.files], ignore_index=True)
    expected = pd.read_parquet(extract(composed, SAMPLE, tmp_path))
    pd.testing.assert_frame_equal(answer, expected, rtol=1e-12)
