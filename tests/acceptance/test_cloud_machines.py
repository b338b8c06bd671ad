"""What machines of Compute Engine may come to, and how a command ends then."""

import pytest

from tests.acceptance.cloud_project import ZONES

TRAIN = ("TrainModel", "--date", "2024-03-01")
FIRST, SECOND = ZONES


@pytest.fixture
def machines(cloud_project):
    cloud_project.use_machines()
    return cloud_project


def made(project) -> list[tuple[str, str]]:
    """Zone and provisioning model of every machine that was made, or almost, in their order."""
    machines = project.cloud.compute_engine.machines
    scheduling = [each["instance"]["scheduling"] for each in machines]
    zones = [each["path"].split("/")[3] for each in machines]
    return [(zone, each["provisioningModel"]) for zone, each in zip(zones, scheduling, strict=True)]


SPOT = (FIRST, "SPOT")


@pytest.mark.parametrize(
    ("fate", "rule", "expected"),
    [
        ("stock-out without a status", {}, [SPOT, (SECOND, "SPOT")]),
        ("stock-out", {"leaves_machine": True}, [SPOT, (SECOND, "SPOT")]),
        ("reclaimed while it was made", {}, [SPOT, (SECOND, "SPOT")]),
        ("preempted", {"moment": "making"}, [SPOT, SPOT]),
        ("preempted", {"moment": "running", "seconds": 0.5}, [SPOT, SPOT]),
        ("preempted", {"moment": "running", "times": 3}, [SPOT, SPOT, SPOT, (FIRST, "STANDARD")]),
        ("vanished", {"moment": "running"}, [SPOT, SPOT]),
        ("stopped", {"moment": "running"}, [SPOT, SPOT]),
        ("lost reply", {}, [SPOT]),
        ("rate limit", {"times": 2}, [SPOT]),
        ("slow deletion", {"seconds": 2.0}, [SPOT]),
    ],
)
def test_a_machine_that_comes_to_harm_is_made_up_for(machines, fate, rule, expected):
    machines.cloud.compute_engine.let(fate, **rule)
    ended = machines.luigi(*TRAIN)
    assert ended.status == 0, ended.output
    assert made(machines) == expected
    assert machines.machines() == []


def test_when_no_zone_has_room_the_last_one_says_so(machines):
    machines.cloud.compute_engine.let("stock-out", times=2)
    ended = machines.luigi(*TRAIN)
    assert ended.status == 30
    assert f"{SECOND} can't give a spot e2-standard-4 now" in ended.output
    assert made(machines) == [SPOT, (SECOND, "SPOT")]
    assert machines.luigi(*TRAIN).status == 0
    assert machines.machines() == []


@pytest.mark.parametrize(
    ("fate", "remedy"),
    [
        ("quota", "iam-admin/quotas?project=test-project"),
        ("denied", "gcloud projects add-iam-policy-binding test-project"),
    ],
)
def test_what_a_person_must_mend_ends_the_command_and_the_next_one_succeeds(machines, fate, remedy):
    machines.cloud.compute_engine.let(fate)
    ended = machines.luigi(*TRAIN)
    assert ended.status == 30
    assert remedy in ended.output
    assert len(machines.objects("v1/training/date=2024-03-01/claim-")) == 1
    assert machines.luigi(*TRAIN).status == 0
    assert machines.machines() == []
