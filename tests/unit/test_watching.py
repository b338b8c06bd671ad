"""What a waiter sees of a job, and how little it asks for as long as the job is well."""

import datetime

import pytest

from pipeline import storage
from pipeline.compute import Look, State
from pipeline.layout import Layout
from pipeline.records import Failure, FailureKind, Heartbeat, Marker, Request, RunRequest, Started
from pipeline.watching import Progress, Watch

D1, D2 = datetime.date(2024, 3, 1), datetime.date(2024, 3, 2)


class Scene:
    """A job of two runs, its machine, and what was told of it."""

    def __init__(self, layout: Layout) -> None:
        self.store = storage.open(layout.root)
        self.job = layout.new_job("training", [D1, D2])
        self.runs = [layout.run("training", date) for date in (D1, D2)]
        self.told: list[Progress] = []
        self.looks = 0
        requests = [RunRequest(run.date, run.folder, {}, {}) for run in self.runs]
        request = Request(self.job.name, "training", "scripted", "m", None, 9, 1, requests)
        self.watch = Watch(self.job, request, dict.fromkeys(self.runs, 1), self.told.append)

    def look(self) -> Look:
        self.looks += 1
        return Look(State.RUNNING)

    def observe(self):
        return self.watch.observe(self.look)

    def start(self) -> None:
        self.store.write(self.job.started, Started("host", "now").dump())

    def beat(self, count: int, *ended: datetime.date) -> None:
        runs = {
            str(date): {"progress": 0.5, "message": f"beat {count}", "ended": date in ended}
            for date in (D1, D2)
        }
        self.store.write(self.job.heartbeat, Heartbeat(count, runs).dump())

    def mark(self, number: int) -> None:
        run = self.runs[number]
        marker = Marker(run.family, run.date, self.job.name, 1, (), {}, None, "then", "now")
        self.store.write(run.marker, marker.dump())


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene(Layout(str(tmp_path), "toy", 1))


def test_a_job_that_has_not_started_is_looked_for_by_its_machine(scene):
    assert not scene.observe().started
    assert not scene.observe().started
    assert scene.looks == 2


def test_a_heart_that_beats_is_all_the_evidence_that_is_needed(scene):
    scene.start()
    scene.observe()
    for count in range(3):
        scene.beat(count)
        seen = scene.observe()
        assert (seen.state, seen.started, seen.settled) == (State.RUNNING, True, False)
    assert scene.looks == 1
    assert [progress.message for progress in scene.told] == ["", "beat 0", "beat 1", "beat 2"]


def test_a_heart_that_stands_still_has_the_machine_looked_at(scene):
    scene.start()
    scene.beat(1)
    scene.observe()
    scene.observe()
    before = scene.looks
    scene.observe()
    assert scene.looks == before + 1


def test_silence_counts_from_the_last_beat(scene):
    scene.start()
    scene.observe()
    scene.beat(1)
    beaten = scene.observe()
    silent = scene.observe()
    assert beaten.silent_seconds < silent.silent_seconds


def test_a_run_that_is_said_to_have_ended_is_looked_for_at_once(scene):
    scene.start()
    scene.observe()
    scene.mark(0)
    scene.beat(1, D1)
    assert not scene.observe().settled
    assert [run.date for run in scene.watch.open_runs] == [D2]
    scene.beat(2, D1)
    scene.observe()
    assert scene.looks == 2


def test_a_job_is_settled_by_the_last_marker_or_failure_of_a_run(scene):
    scene.start()
    scene.mark(0)
    failure = Failure(FailureKind.MODEL_ERROR, "container", "a bad day")
    scene.store.write(scene.runs[1].failure(scene.job.name), failure.dump())
    scene.observe()
    assert scene.observe().settled
    assert scene.watch.marked == {scene.runs[0]}
    assert scene.watch.refused == {scene.runs[1]}


def test_a_job_that_is_over_when_it_is_first_looked_at_is_settled_at_once(scene):
    scene.start()
    for run in scene.runs:
        failure = Failure(FailureKind.MODEL_ERROR, "container", "a bad day")
        scene.store.write(run.failure(scene.job.name), failure.dump())
    assert scene.watch.observe(lambda: Look(State.GONE)).settled


def test_a_failure_of_the_whole_job_is_seen(scene):
    failure = Failure(FailureKind.KILLED, "container", "it was killed")
    scene.store.write(scene.job.failure, failure.dump())
    assert scene.observe().failed
