"""What finished runs left is read once."""

import datetime

import pytest

from pipeline import finished, storage
from pipeline.layout import Layout
from pipeline.records import Marker

DATE = datetime.date(2024, 3, 1)


def marker(job: str) -> Marker:
    return Marker("training", DATE, job, 1, (), {}, None, "then", "now")


def test_who_finishes_a_run_does_not_read_its_marker_back(tmp_path):
    run = Layout(str(tmp_path), "toy", 1).run("training", DATE)
    assert finished.finish(run, marker("mine"))
    storage.open(run.marker).delete(run.marker)
    assert finished.read_marker(run.marker).job == "mine"


def test_the_first_of_two_that_finish_a_run_is_the_one_that_is_read(tmp_path):
    run = Layout(str(tmp_path), "toy", 1).run("training", DATE)
    storage.write_once(run.marker, marker("another's").dump())
    assert not finished.finish(run, marker("mine"))
    assert finished.read_marker(run.marker).job == "another's"


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("training", "TrainModel 2024-03-01"),
        ("evaluation", "MeasurePredictions 2024-03-01"),
        ("data/application", "ExtractData 2024-03-01 --action application"),
        ("elsewhere", "TASK DATE"),
    ],
)
def test_who_finds_a_file_changed_or_gone_is_told_what_to_type(family, words):
    marker = Layout("/s", "toy", 1).run(family, DATE).marker
    for error in (finished.changed("/x", marker), finished.gone("/x", marker)):
        assert f"`python -m pipeline forget {words}`" in str(error)
