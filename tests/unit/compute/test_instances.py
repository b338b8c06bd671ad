"""The instance that is asked for: the whole of it, and what is refused before it is sent."""

import dataclasses
import datetime
import json
import re
from pathlib import Path

import pytest
from google.cloud import compute_v1

from pipeline.compute.google import GoogleCompute, MachineKind
from pipeline.compute.google.instances import build_instance, request_id
from pipeline.compute.google.places import Place, instance_name
from pipeline.errors import MachineRefusedError
from pipeline.layout import Job, storage_digest
from pipeline.records import Budget, Request, RunRequest

EXPECTED = Path(__file__).with_name("instance.json")
FILES = {"user-data": "#cloud-config\n", "boot-script": "#!/bin/bash\n"}
JOB = Job(
    "churn-training-19980401-0123456789",
    "gs://bucket/prefix/churn/v1/jobs/churn-training-19980401-0123456789",
)
COMPUTE = GoogleCompute(
    project="my-project",
    zones=("europe-west1-b", "europe-west1-c"),
    subnetwork="regions/europe-west1/subnetworks/default",
    service_account="jobs@my-project.iam.gserviceaccount.com",
    image=f"europe-west1-docker.pkg.dev/my-project/models/churn@sha256:{'0' * 64}",
    labels={"name": "churn", "version": "1", "owner": "ann"},
    actions={
        "training": MachineKind("e2-standard-4", 50, "spot"),
        "application": MachineKind("n4-standard-2", 20, "standard"),
    },
    storage="gs://bucket/prefix/churn/v1",
    preemption_retries=1,
    start_seconds=600,
)


def make_request(action: str = "training", preemptions: int = 0, **changes: object) -> Request:
    machine = COMPUTE.choose(JOB, action, {Budget.PREEMPTION: preemptions})
    run = RunRequest(datetime.date(1998, 4, 1), "gs://bucket/run", {}, {})
    request = Request(
        job=JOB.name,
        action=action,
        compute="google",
        machine=machine.name,
        spec=machine.spec,
        image=COMPUTE.image,
        deadline_seconds=3600,
        heartbeat_seconds=2,
        runs=(run,),
    )
    return dataclasses.replace(request, **changes)  # type: ignore[arg-type]


def with_spec(**changes: object) -> Request:
    request = make_request()
    return dataclasses.replace(request, spec={**request.spec, **changes})


def as_json(instance: compute_v1.Instance) -> dict:
    return json.loads(
        compute_v1.Instance.to_json(instance, always_print_fields_with_no_presence=False)
    )


def test_the_whole_instance_is_the_one_in_the_file():
    """To see what a change does to it: `git diff` after writing the file anew from this."""
    assert as_json(build_instance(make_request(), JOB, FILES)) == json.loads(EXPECTED.read_text())


def test_the_same_request_makes_the_same_instance_when_it_was_read_from_storage():
    request = make_request()
    again = Request.parse(request.dump(), "url")
    assert build_instance(again, JOB, FILES) == build_instance(request, JOB, FILES)


def test_a_standard_machine_is_moved_for_maintenance_and_still_never_restarted():
    scheduling = build_instance(make_request("application"), JOB, FILES).scheduling
    assert scheduling.provisioning_model == "STANDARD"
    assert scheduling.on_host_maintenance == "MIGRATE"
    assert scheduling.automatic_restart is False
    assert scheduling.instance_termination_action == "DELETE"


def test_the_last_try_after_preemptions_is_a_standard_machine():
    models = [
        build_instance(make_request(preemptions=n), JOB, FILES).scheduling.provisioning_model
        for n in (0, 1)
    ]
    assert models == ["SPOT", "STANDARD"]


def test_each_action_has_its_own_type_and_disk():
    instance = build_instance(make_request("application"), JOB, FILES)
    disk = instance.disks[0].initialize_params
    assert instance.machine_type == "zones/europe-west1-b/machineTypes/n4-standard-2"
    assert disk.disk_size_gb == 20
    # N4 has no other.
    assert disk.disk_type == "zones/europe-west1-b/diskTypes/hyperdisk-balanced"


def test_it_is_deleted_ten_minutes_after_the_job_should_have_ended_itself():
    instance = build_instance(make_request(deadline_seconds=100.5), JOB, FILES)
    attributes = {each.key: each.value for each in instance.metadata.items}
    assert attributes["job-deadline-seconds"] == "401"
    assert instance.scheduling.max_run_duration.seconds == 1301


def test_a_job_of_many_dates_is_labelled_with_the_first():
    runs = [RunRequest(datetime.date(1998, 4, day), "gs://run", {}, {}) for day in (3, 2)]
    instance = build_instance(make_request(runs=tuple(runs)), JOB, FILES)
    assert instance.labels["date"] == "1998-04-02"


def test_a_label_of_other_characters_is_changed_and_a_long_one_ends_with_a_hash():
    labels = build_instance(with_spec(labels={"name": "Ab.c", "long": "x" * 70}), JOB, FILES).labels
    assert labels["name"] == "ab-c"
    assert re.fullmatch(r"x{54}-[0-9a-f]{8}", labels["long"])


@pytest.mark.parametrize(
    ("request_", "files", "words"),
    [
        (make_request(spec={}), FILES, "does not say disk_size_gb, labels, machine_type"),
        (with_spec(machine_type="a2-highgpu-1g"), FILES, "a2-highgpu-1g .* accelerators"),
        (with_spec(guest_accelerators=["nvidia-l4"]), FILES, "e2-standard-4 .* accelerators"),
        (with_spec(machine_type="c4a-standard-4"), FILES, "c4a-standard-4 has Arm processors"),
        (make_request(image=None), FILES, "there is no image for the job churn-training"),
        (with_spec(labels={"Name": "x"}), FILES, "the label Name=x has"),
        (with_spec(labels={f"k{n}": "" for n in range(64)}), FILES, "it has 69 labels"),
        (make_request(deadline_seconds=10**8), FILES, "from 30 seconds to 120 days"),
        (make_request(), {"a b": ""}, "'a b' is no name for a metadata attribute"),
        (make_request(), {"user-data": "x" * 262_145}, "user-data has 262145 bytes"),
        (make_request(), {"a": "x" * 262_000, "b": "x" * 262_000}, "512 KiB"),
        (make_request(machine="projects/p/zones/z/instances/A"), FILES, "'A' is no name"),
    ],
)
def test_what_compute_engine_would_refuse_is_refused_here(request_, files, words):
    with pytest.raises(MachineRefusedError, match=words) as caught:
        build_instance(request_, JOB, files)
    assert str(caught.value).startswith(f"{request_.machine} can't be made: ")
    assert str(caught.value).endswith("in luigi.cfg.")


def test_a_model_sealed_to_an_image_of_this_machine_is_refused_with_the_way_out():
    with pytest.raises(MachineRefusedError, match=r"image of the Docker engine .* `make push`"):
        build_instance(make_request(image=f"sha256:{'0' * 64}"), JOB, FILES)


@pytest.mark.parametrize(
    "job",
    [
        "churn-training-19980401-0123456789",
        f"a{'b' * 100}-19980401-0123456789",
        f"a{'0' * 100}",
        "-" * 70,
    ],
)
def test_every_job_has_a_machine_with_a_legal_name(job):
    name = instance_name(job, storage_digest("gs://bucket"))
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)


def test_two_storages_have_two_names_for_the_same_job():
    digests = {storage_digest(each) for each in ("gs://a", "gs://a/", "gs://b")}
    assert len({instance_name("job", digest) for digest in digests}) == 2


def test_a_request_has_an_id_of_its_own_in_each_zone_and_storage():
    place, next_zone = Place("p", "z-a", "n"), Place("p", "z-b", "n")
    other = Job(JOB.name, JOB.folder.replace("bucket", "other"))
    ids = [request_id(JOB, place), request_id(JOB, next_zone), request_id(other, place)]
    assert len(set(ids)) == 3
    assert request_id(JOB, place) == ids[0]
