"""What finished runs left is read once."""

import datetime

import pytest

from pipeline import finished, storage
from pipeline.errors import ChecksumError
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


def test_a_source_that_is_there_as_it_was_sealed_is_no_reason_to_refuse(tmp_path):
    run = Layout(str(tmp_path), "toy", 1).run("application", DATE)
    finished.finish(run, marker("mine"))
    finished.refuse_forgotten(finished.seal(run))


@pytest.mark.parametrize(("then", "word"), [(None, "taken away"), ("another's", "replaced")])
def test_a_source_that_was_forgotten_since_it_was_sealed_is_refused(tmp_path, then, word):
    run = Layout(str(tmp_path), "toy", 1).run("application", DATE)
    finished.finish(run, marker("mine"))
    source = finished.seal(run)
    storage.open(run.marker).delete(run.marker)
    if then:
        storage.write_once(run.marker, marker(then).dump())
    with pytest.raises(ChecksumError, match=rf"_SUCCESS was {word} .* Run your command once more"):
        finished.refuse_forgotten(source)
    # Nor does this process believe any longer what it knew.
    assert finished.is_finished(run) is bool(then)
    assert not then or finished.read_marker(run.marker).job == then


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
