"""The waiter's decision, over every combination of what can be seen."""

from itertools import product

import pytest

from pipeline.compute import State
from pipeline.decision import Decision, Limits, Seen, Verdict, decide
from pipeline.records import Budget, FailureKind

LIMITS = Limits(start_seconds=600, silence_seconds=300, deadline_seconds=3600)
TIMES = (0.0, 299.0, 301.0, 601.0, 3601.0, LIMITS.last_seconds + 1)
FLAGS = (False, True)
CAUSES = (None, FailureKind.PREEMPTED, FailureKind.OUT_OF_MEMORY)

EVERYTHING = [
    Seen(*values) for values in product(State, CAUSES, FLAGS, FLAGS, FLAGS, TIMES, TIMES, TIMES)
]


def seen(state: State, **changes: object) -> Seen:
    values = {"cause": None, **dict.fromkeys(("settled", "failed", "started"), False)}
    times = dict.fromkeys(("state_seconds", "silent_seconds", "watched_seconds"), 0.0)
    return Seen(state, **{**values, **times, **changes})


def where(**conditions: object) -> list[Seen]:
    return [s for s in EVERYTHING if all(getattr(s, k) == v for k, v in conditions.items())]


def test_there_is_a_decision_for_every_combination():
    assert len(EVERYTHING) == 5 * 3 * 2**3 * 6**3
    for each in EVERYTHING:
        decision = decide(each, LIMITS)
        assert (decision.kind is not None) == (decision.verdict is Verdict.GIVE_UP)


def test_only_markers_are_success():
    for each in EVERYTHING:
        assert (decide(each, LIMITS).verdict is Verdict.SETTLED) == each.settled


def test_a_marker_wins_over_a_failure_and_a_failure_over_the_machine():
    for each in where(settled=False, failed=True):
        assert decide(each, LIMITS).verdict is Verdict.FAILED


def test_a_machine_that_is_gone_is_never_waited_for():
    for each in where(state=State.GONE):
        assert decide(each, LIMITS).verdict is not Verdict.WAIT


def test_nothing_waits_past_the_last_limit():
    for each in where(watched_seconds=LIMITS.last_seconds + 1):
        assert decide(each, LIMITS).verdict is not Verdict.WAIT


def test_a_cloud_that_does_not_answer_is_no_evidence():
    for each in where(state=State.UNKNOWN, settled=False, failed=False):
        if each.watched_seconds <= LIMITS.last_seconds:
            assert decide(each, LIMITS).verdict is Verdict.WAIT


def test_a_machine_that_lives_and_beats_within_its_limits_is_waited_for():
    for state in (State.MAKING, State.RUNNING, State.STOPPING, State.UNKNOWN):
        for started in FLAGS:
            assert decide(seen(state, started=started), LIMITS).verdict is Verdict.WAIT


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (seen(State.GONE, cause=FailureKind.PREEMPTED), FailureKind.PREEMPTED),
        (seen(State.GONE, cause=FailureKind.OUT_OF_MEMORY), FailureKind.OUT_OF_MEMORY),
        (seen(State.GONE, watched_seconds=3601.0), FailureKind.DEADLINE),
        (seen(State.GONE), FailureKind.VANISHED),
        (seen(State.MAKING, state_seconds=601.0), FailureKind.NEVER_STARTED),
        (seen(State.RUNNING, state_seconds=601.0), FailureKind.NEVER_STARTED),
        (seen(State.RUNNING, started=True, silent_seconds=301.0), FailureKind.SILENT),
        (seen(State.STOPPING, state_seconds=301.0), FailureKind.SILENT),
        (seen(State.UNKNOWN, watched_seconds=LIMITS.last_seconds + 1), FailureKind.DEADLINE),
    ],
)
def test_giving_up_names_its_reason(what: Seen, kind: FailureKind):
    assert decide(what, LIMITS) == Decision(Verdict.GIVE_UP, kind)


def test_what_the_model_or_a_person_did_is_never_tried_again():
    for kind in FailureKind:
        final = kind in {
            FailureKind.MODEL_ERROR,
            FailureKind.ERROR,
            FailureKind.OUT_OF_MEMORY,
            FailureKind.DEADLINE,
            FailureKind.CANCELLED,
            FailureKind.FORGOTTEN,
        }
        assert (kind.budget is Budget.NONE) == final
