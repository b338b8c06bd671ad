"""The waiter against machines whose fate each test writes down."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline import claims, storage
from pipeline.compute import Compute, Look, Machine, State
from pipeline.compute.local import LocalCompute
from pipeline.decision import Limits
from pipeline.errors import (
    ComputeError,
    JobFailedError,
    MachineRefusedError,
    NoCapacityError,
)
from pipeline.jobs import Order, Waiter, cancel, write_failure
from pipeline.layout import Job, Layout, Run
from pipeline.records import (
    Budget,
    Failure,
    FailureKind,
    Heartbeat,
    Marker,
    Request,
    RunRequest,
    Started,
)
from pipeline.watching import Progress

D1, D2, D3 = (datetime.date(2024, 3, day) for day in (1, 2, 3))
LIMITS = Limits(start_seconds=0.3, silence_seconds=0.3, deadline_seconds=2, margin_seconds=0.2)
BUDGETS = {Budget.PREEMPTION: 2, Budget.INFRASTRUCTURE: 1, Budget.CAPACITY: 1}


@dataclass
class ScriptedCompute:
    """Machines that do what `fate` says when they are launched, and nothing by themselves."""

    fate: Callable[["ScriptedCompute", Job], State]
    name: str = "scripted"
    poll_seconds: float = 0.01
    longest_poll_seconds: float = 0.02
    image: str | None = None
    spent: list[Mapping[Budget, int]] = field(default_factory=list)
    states: dict[str, Look] = field(default_factory=dict)
    launched: list[Job] = field(default_factory=list)
    deleted: list[tuple[str, bool]] = field(default_factory=list)
    undeletable: bool = False

    def machine(self, job: Job) -> str:
        return f"machine-{job.name}"

    def choose(self, job: Job, action: str, spent: Mapping[Budget, int]) -> Machine:
        self.spent.append(spent)
        return Machine(self.machine(job), {"attempt": len(self.spent)})

    def launch(self, request: Request, job: Job) -> None:
        self.launched.append(job)
        state = self.fate(self, job)
        self.states[request.machine] = state if isinstance(state, Look) else Look(state)

    def look(self, machine: str) -> Look:
        return self.states.get(machine, Look(State.GONE))

    def delete(self, machine: str) -> None:
        if self.undeletable:
            raise ComputeError("the cloud refuses")
        [job] = [each for each in self.launched if self.machine(each) == machine] or [None]
        told = job is not None and storage.open(job.failure).exists(job.failure)
        self.deleted.append((machine, told))
        self.states[machine] = Look(State.GONE)

    def console(self, machine: str) -> str:
        return f"console of {machine}"


@dataclass
class Scene:
    """A storage, a layout in it, and waiters."""

    layout: Layout

    def run(self, date: datetime.date) -> Run:
        return self.layout.run("training", date)

    def waiter(self, compute: Compute) -> Waiter:
        return Waiter(self.layout, compute, LIMITS, BUDGETS, heartbeat_seconds=1)

    def finish(self, compute: Compute, *dates: datetime.date) -> None:
        self.waiter(compute).finish("training", [self.order(date) for date in dates])

    def order(self, date: datetime.date, image: str | None = None) -> Order:
        run = self.run(date)
        return Order(run, lambda job: RunRequest(date, run.folder, {}, {"run_id": job}), image)

    def claims(self, date: datetime.date) -> list[str]:
        names = [Path(each.url).name for each in storage.open("/").list(self.run(date).folder)]
        return sorted(name for name in names if name.startswith("claim"))

    def claim_of_another(
        self, *dates: datetime.date, compute: str = "scripted", claimed: int | None = None
    ) -> Job:
        """A job that another orchestrator claimed all or some runs for, and did not get further."""
        job = self.layout.new_job("training", dates)
        runs = [RunRequest(date, self.run(date).folder, {}, {}) for date in dates]
        request = Request(job.name, "training", compute, f"machine-{job.name}", None, 2, 1, runs)
        storage.open(job.request).write(job.request, request.dump())
        for date in dates[:claimed]:
            assert claims.claim(self.run(date), 1, job.name)
        return job


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene(Layout(str(tmp_path), "toy", 1))


def start(job: Job) -> None:
    storage.open(job.started).write(job.started, Started("host", "now").dump())


def mark(run: Run, job: Job) -> None:
    marker = Marker(run.family, run.date, job.name, 1, (), {}, None, "then", "now")
    storage.open(run.marker).write(run.marker, marker.dump(), create_only=True)


def read_request(job: Job) -> Request:
    return Request.parse(storage.open(job.request).read(job.request), job.request)


def requested(job: Job) -> list[Run]:
    return [Run("training", each.date, each.folder) for each in read_request(job).runs]


def succeeds(compute: ScriptedCompute, job: Job) -> State:
    start(job)
    for run in requested(job):
        mark(run, job)
    return State.RUNNING


def ends(kind: FailureKind) -> Callable[[ScriptedCompute, Job], State]:
    """A container that starts and tells why it fails."""

    def fate(compute: ScriptedCompute, job: Job) -> State:
        start(job)
        write_failure(job, Failure(kind, "container", f"it was {kind}", "line 1\nline 2"))
        return State.RUNNING

    return fate


def first(fate: Callable[..., State], then: Callable[..., State]) -> Callable[..., State]:
    def both(compute: ScriptedCompute, job: Job) -> State:
        return (fate if len(compute.launched) == 1 else then)(compute, job)

    return both


def test_runs_without_a_claim_share_a_new_job(scene):
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1, D2)
    [job] = compute.launched
    assert [run.date for run in requested(job)] == [D1, D2]
    assert scene.claims(D1) == scene.claims(D2) == ["claim-1.json"]


def test_a_finished_jobs_machine_is_deleted_without_a_failure(scene):
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1)
    assert compute.deleted == [(compute.machine(compute.launched[0]), False)]


def test_runs_that_are_done_start_nothing(scene):
    scene.finish(ScriptedCompute(succeeds), D1)
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1)
    assert compute.launched == []


def test_runs_sealed_to_different_images_go_into_jobs_of_their_own(scene):
    compute = ScriptedCompute(succeeds, image="image-c")
    orders = [scene.order(D1, "image-a"), scene.order(D2, "image-b"), scene.order(D3, "image-a")]
    scene.waiter(compute).finish("training", orders)
    dates = sorted([run.date for run in requested(job)] for job in compute.launched)
    assert dates == [[D1, D3], [D2]]


def test_a_run_without_a_sealed_image_gets_the_computes_own(scene):
    compute = ScriptedCompute(succeeds, image="image-c")
    scene.waiter(compute).finish("training", [scene.order(D1), scene.order(D2, "image-a")])
    assert sorted(read_request(job).image for job in compute.launched) == ["image-a", "image-c"]


def test_a_compute_that_runs_no_images_is_asked_for_none(scene):
    compute = ScriptedCompute(succeeds)
    scene.waiter(compute).finish("training", [scene.order(D1, "image-a")])
    assert read_request(compute.launched[0]).image is None


def test_what_a_compute_must_know_of_a_machine_is_kept_in_the_request(scene):
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1)
    assert read_request(compute.launched[0]).spec == {"attempt": 1}


def refuses(error: Exception) -> Callable[[ScriptedCompute, Job], State]:
    def fate(compute: ScriptedCompute, job: Job) -> State:
        raise error

    return fate


def test_a_zone_without_room_is_followed_by_the_next(scene):
    compute = ScriptedCompute(first(refuses(NoCapacityError("zone a is full")), succeeds))
    scene.finish(compute, D1)
    assert [spent[Budget.CAPACITY] for spent in compute.spent] == [0, 1]
    assert scene.claims(D1) == ["claim-1.json", "claim-2.json"]


def test_when_no_zone_has_room_the_last_ones_words_are_told(scene):
    compute = ScriptedCompute(refuses(NoCapacityError("the zone is full")))
    with pytest.raises(JobFailedError, match="the zone is full"):
        scene.finish(compute, D1)
    assert len(compute.launched) == 1 + BUDGETS[Budget.CAPACITY]


def test_a_machine_that_is_refused_for_good_is_not_asked_for_again(scene):
    compute = ScriptedCompute(refuses(MachineRefusedError("the quota is used up")))
    with pytest.raises(JobFailedError, match="the quota is used up") as caught:
        scene.finish(compute, D1)
    assert len(compute.launched) == 1
    # Another day it is made: no older model stands in for the one that was not trained.
    assert not any(problem.for_good for problem in caught.value.problems)


def test_a_launch_that_may_have_worked_leaves_the_claim_to_the_next_command(scene):
    compute = ScriptedCompute(refuses(ComputeError("no answer")))
    with pytest.raises(ComputeError, match="no answer"):
        scene.finish(compute, D1)
    again = ScriptedCompute(succeeds)
    scene.finish(again, D1)
    assert again.launched == compute.launched
    assert scene.claims(D1) == ["claim-1.json"]


def test_a_claim_whose_machine_was_never_asked_for_is_launched_again(scene):
    job = scene.claim_of_another(D1)
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1)
    assert compute.launched == [job]
    assert scene.claims(D1) == ["claim-1.json"]


def test_an_adopted_job_gets_the_runs_that_its_orchestrator_had_not_come_to(scene):
    job = scene.claim_of_another(D1, D2, claimed=1)
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1)
    assert compute.launched == [job]
    assert claims.read_standing(scene.run(D2)).job == job.name


def test_an_adopted_job_gets_no_run_that_another_holds(scene):
    other = scene.claim_of_another(D2)
    scene.claim_of_another(D1, D2, claimed=1)
    scene.finish(ScriptedCompute(succeeds), D1)
    assert claims.read_standing(scene.run(D2)).job == other.name


def test_a_claim_that_is_there_already_is_won_by_the_job_that_it_names(scene):
    job = scene.claim_of_another(D1)
    assert claims.claim(scene.run(D1), 1, job.name)
    assert not claims.claim(scene.run(D1), 1, "another")


def test_the_machine_of_a_job_that_was_given_up_is_deleted_by_who_comes_next(scene):
    """Whoever gave it up was killed between its failure and its deletion."""
    job = scene.claim_of_another(D1)
    write_failure(job, Failure(FailureKind.SILENT, "waiter", "it gave no sign of life"))
    compute = ScriptedCompute(succeeds)
    compute.states[compute.machine(job)] = Look(State.RUNNING)
    scene.finish(compute, D1)
    assert compute.deleted[0][0] == compute.machine(job)


def test_a_job_that_is_at_work_is_watched_and_not_launched(scene):
    job = scene.claim_of_another(D1)
    start(job)
    compute = ScriptedCompute(succeeds)
    compute.states[compute.machine(job)] = Look(State.RUNNING)
    told: list[Progress] = []

    def report(progress: Progress) -> None:
        told.append(progress)
        mark(scene.run(D1), job)

    scene.waiter(compute).finish("training", [scene.order(D1)], report)
    assert compute.launched == []
    assert told[0].job == job.name


def test_of_two_waiters_that_claim_one_wins_and_the_other_watches(scene):
    """The second claims between the first one's look and its claim."""
    compute = ScriptedCompute(succeeds)
    order = scene.order(D1)
    others: list[Job] = []

    def request(job_name: str) -> RunRequest:
        if not others:
            others.append(scene.claim_of_another(D1))
        return order.request(job_name)

    scene.waiter(compute).finish("training", [Order(order.run, request)])
    assert compute.launched == others
    assert scene.claims(D1) == ["claim-1.json"]


def test_a_failure_from_before_is_history(scene):
    job = scene.claim_of_another(D1)
    write_failure(job, Failure(FailureKind.MODEL_ERROR, "container", "a bug"))
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1)
    assert scene.claims(D1) == ["claim-1.json", "claim-2.json"]
    assert compute.launched != [job]


def test_a_run_that_failed_alone_is_history_too(scene):
    job = scene.claim_of_another(D1, D2)
    failure = Failure(FailureKind.MODEL_ERROR, "container", "a bad day")
    storage.open("/").write(scene.run(D1).failure(job.name), failure.dump())
    mark(scene.run(D2), job)
    compute = ScriptedCompute(succeeds)
    scene.finish(compute, D1, D2)
    assert scene.claims(D1) == ["claim-1.json", "claim-2.json"]
    assert scene.claims(D2) == ["claim-1.json"]


FINAL = [kind for kind in FailureKind if kind.budget is Budget.NONE]
RETRIED = [kind for kind in FailureKind if kind.budget is not Budget.NONE]


@pytest.mark.parametrize("kind", FINAL)
def test_what_is_final_fails_at_once_with_its_reason_and_detail(scene, kind):
    compute = ScriptedCompute(ends(kind))
    with pytest.raises(JobFailedError) as caught:
        scene.finish(compute, D1)
    assert f"training of 2024-03-01 failed: it was {kind}" in str(caught.value)
    assert "line 2" in str(caught.value)
    assert len(compute.launched) == 1
    assert compute.deleted == [(compute.machine(compute.launched[0]), True)]


@pytest.mark.parametrize("kind", RETRIED)
def test_what_is_not_the_models_fault_is_tried_again_within_its_budget(scene, kind):
    compute = ScriptedCompute(ends(kind))
    with pytest.raises(JobFailedError, match=f"it was {kind}"):
        scene.finish(compute, D1)
    assert len(compute.launched) == 1 + BUDGETS[kind.budget]
    assert len(scene.claims(D1)) == len(compute.launched)
    assert all(told for _, told in compute.deleted)


def test_a_second_attempt_that_succeeds_is_success(scene):
    compute = ScriptedCompute(first(ends(FailureKind.PREEMPTED), succeeds))
    scene.finish(compute, D1, D2)
    assert len(compute.launched) == 2
    assert claims.read_standing(scene.run(D2)).job == compute.launched[1].name


def test_a_new_attempt_does_only_what_the_failed_one_left(scene):
    def half(compute: ScriptedCompute, job: Job) -> State:
        mark(requested(job)[0], job)
        return ends(FailureKind.KILLED)(compute, job)

    compute = ScriptedCompute(first(half, succeeds))
    scene.finish(compute, D1, D2)
    assert [run.date for run in requested(compute.launched[1])] == [D2]


def test_one_bad_run_fails_alone_and_the_others_keep_their_markers(scene):
    def one_bad(compute: ScriptedCompute, job: Job) -> State:
        start(job)
        bad, *good = requested(job)
        failure = Failure(FailureKind.MODEL_ERROR, "container", "a bad day")
        storage.open("/").write(bad.failure(job.name), failure.dump())
        for run in good:
            mark(run, job)
        return State.RUNNING

    with pytest.raises(JobFailedError) as caught:
        scene.finish(ScriptedCompute(one_bad), D1, D2, D3)
    assert "training of 2024-03-01 failed: a bad day" in str(caught.value)
    assert "2024-03-02" not in str(caught.value)
    assert claims.read_standing(scene.run(D3)).done


@pytest.mark.parametrize(
    ("look", "begun", "kind"),
    [
        (Look(State.MAKING), False, FailureKind.NEVER_STARTED),
        (Look(State.RUNNING), False, FailureKind.NEVER_STARTED),
        (Look(State.RUNNING), True, FailureKind.SILENT),
        (Look(State.STOPPING), True, FailureKind.SILENT),
        (Look(State.GONE), True, FailureKind.VANISHED),
        (Look(State.GONE, FailureKind.PREEMPTED), True, FailureKind.PREEMPTED),
        (Look(State.UNKNOWN), True, FailureKind.DEADLINE),
    ],
)
def test_a_job_that_says_nothing_gets_a_failure_before_its_machine_goes(scene, look, begun, kind):
    def silent(compute: ScriptedCompute, job: Job) -> Look:
        if begun:
            start(job)
        return look

    compute = ScriptedCompute(first(silent, succeeds))
    if kind.budget is Budget.NONE:
        with pytest.raises(JobFailedError, match="deadline"):
            scene.finish(compute, D1)
    else:
        scene.finish(compute, D1)
    job = compute.launched[0]
    failure = Failure.parse(storage.open("/").read(job.failure), job.failure)
    assert (failure.kind, failure.by) == (kind, "waiter")
    assert failure.detail == f"console of {compute.machine(job)}"
    assert compute.deleted[0] == (compute.machine(job), True)


def test_what_the_machines_keeper_knows_is_the_reason(scene):
    def lost(compute: ScriptedCompute, job: Job) -> Look:
        return Look(State.GONE, FailureKind.OUT_OF_MEMORY, "4 GB of memory were not enough")

    with pytest.raises(JobFailedError, match="failed: 4 GB of memory were not enough"):
        scene.finish(ScriptedCompute(lost), D1)


def test_a_marker_that_comes_after_the_failure_still_wins(scene):
    def late(compute: ScriptedCompute, job: Job) -> State:
        state = ends(FailureKind.VANISHED)(compute, job)
        mark(requested(job)[0], job)
        return state

    compute = ScriptedCompute(late)
    scene.finish(compute, D1)
    assert len(compute.launched) == 1


def test_a_machine_that_can_not_be_deleted_does_not_hide_the_result(scene, caplog):
    compute = ScriptedCompute(first(ends(FailureKind.KILLED), succeeds), undeletable=True)
    scene.finish(compute, D1)
    assert "could not be deleted: the cloud refuses" in caplog.text


def test_a_beating_job_is_waited_for_beyond_the_silence_limit(scene):
    start_beating = datetime.datetime.now(datetime.UTC)
    beats = 0

    def report(progress: Progress) -> None:
        nonlocal beats
        beats += 1

    class Beating(ScriptedCompute):
        def look(self, machine: str) -> Look:
            age = datetime.datetime.now(datetime.UTC) - start_beating
            job = self.launched[0]
            if age.total_seconds() > 3 * LIMITS.silence_seconds:
                if not claims.read_standing(scene.run(D1)).done:
                    mark(scene.run(D1), job)
            else:
                share = {str(D1): {"progress": 0.5, "message": f"after {age}"}}
                storage.open("/").write(job.heartbeat, Heartbeat(1, share).dump())
            return super().look(machine)

    def begins(compute: ScriptedCompute, job: Job) -> State:
        start(job)
        return State.RUNNING

    compute = Beating(begins)
    scene.waiter(compute).finish("training", [scene.order(D1)], report)
    assert len(compute.launched) == 1
    assert beats > 1


def test_a_job_of_another_compute_is_only_watched(scene):
    job = scene.claim_of_another(D1, compute="elsewhere")
    mark(scene.run(D2), job)
    compute = ScriptedCompute(succeeds)
    write_failure(job, Failure(FailureKind.CANCELLED, "a person", "it was cancelled"))
    scene.finish(compute, D1)
    assert job not in compute.launched
    assert compute.deleted == [(compute.machine(compute.launched[0]), False)]


def test_a_process_of_a_host_that_is_no_more_is_given_up_once(scene, tmp_path, caplog):
    """The machine was renamed, or the storage is shared with one that has gone."""
    job = scene.claim_of_another(D1, compute="local")
    request = replace(read_request(job), machine=f"gone:/work/jobs/{job.name}")
    storage.open("/").write(job.request, request.dump())
    start(job)
    compute = LocalCompute(tmp_path / "work", tmp_path / "prediction")
    with pytest.raises(JobFailedError, match="it went on past its deadline"):
        scene.finish(compute, D1)
    failure = Failure.parse(storage.open("/").read(job.failure), job.failure)
    assert failure.kind is FailureKind.DEADLINE
    assert "is a process of the machine gone. Go there." in caplog.text
    # Who comes next does not wait for it.
    scene.finish(ScriptedCompute(succeeds), D1)
    assert scene.claims(D1) == ["claim-1.json", "claim-2.json"]


def test_cancel_tells_before_it_deletes(scene):
    compute = ScriptedCompute(lambda compute, job: State.RUNNING)
    job = scene.claim_of_another(D1)
    compute.launched.append(job)
    assert cancel(scene.layout, scene.run(D1), compute) == job.name
    assert compute.deleted == [(compute.machine(job), True)]
    assert cancel(scene.layout, scene.run(D1), compute) is None


def test_there_is_nothing_to_cancel_in_a_run_that_is_done_or_was_never_claimed(scene):
    compute = ScriptedCompute(succeeds)
    assert cancel(scene.layout, scene.run(D1), compute) is None
    scene.finish(compute, D1)
    assert cancel(scene.layout, scene.run(D1), compute) is None


def test_a_newer_request_is_refused_with_its_name(scene):
    job = scene.claim_of_another(D1)
    store = storage.open("/")
    content = store.read(job.request).replace(b'"format": 1', b'"format": 9')
    store.write(job.request, content)
    with pytest.raises(Exception, match=r"request\.json has format 9"):
        scene.finish(ScriptedCompute(succeeds), D1)
