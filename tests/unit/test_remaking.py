"""What to type to have a run made again."""

import pytest

from pipeline.remaking import how_to_remake

ROOT = "gs://models/data/v1/date=2001-01-01/churn/v2"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("data/training", "ExtractData 2024-03-01 --action training"),
        ("data/application", "ExtractData 2024-03-01 --action application"),
        ("training", "TrainModel 2024-03-01"),
        ("application", "ApplyModel 2024-03-01"),
        ("evaluation", "MeasurePredictions 2024-03-01"),
        ("load/0123456789ab", "LoadToBigQuery 2024-03-01"),
        ("evaluations/0123456789ab", "EvaluatePredictions 2024-03-01"),
    ],
)
def test_the_task_is_named_with_its_date(folder, words):
    for name in ("_SUCCESS", "job-1/part-0.parquet"):
        told = how_to_remake(f"{ROOT}/{folder}/date=2024-03-01/{name}")
        assert f"`python -m pipeline forget {words}`" in told


def test_of_a_file_from_elsewhere_no_task_is_known():
    assert "`python -m pipeline forget TASK DATE`" in how_to_remake("/srv/visits.csv")
