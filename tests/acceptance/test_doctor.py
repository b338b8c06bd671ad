"""`python -m pipeline doctor`: what is wrong is named, with what to type."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.acceptance.cloud_project import MACHINES, CloudProject
from tests.cloud.servers import PROJECT


def findings(project) -> dict[str, tuple[bool, str]]:
    told = json.loads(project.pipeline("doctor", "--json").output)
    return {each["subject"]: (each["healthy"], each["words"]) for each in told}


def wrong(project) -> dict[str, str]:
    return {name: words for name, (healthy, words) in findings(project).items() if not healthy}


def test_a_project_that_is_set_up_is_healthy(project):
    ended = project.pipeline("doctor")
    assert ended.status == 0, ended.output
    assert "wrong" not in ended.output
    assert max(map(len, ended.output.splitlines())) <= 80
    assert not list((project.folder / "var").rglob("doctor-*"))
    assert list(findings(project)) == [
        "settings",
        "model package",
        "storage",
        "warehouse",
        "compute",
        "luigid",
    ]


def test_a_wrong_setting_is_all_that_is_told(project):
    project.replace_setting("schedule = monthly", "schedule = hourly")
    ended = project.pipeline("doctor")
    assert ended.status == 1
    assert list(findings(project)) == ["settings"]
    assert "daily, weekly or monthly" in wrong(project)["settings"]


def test_everything_that_is_wrong_is_told_at_once(project):
    (project.folder / "visits.csv").unlink()
    (project.folder / "prediction" / "queries" / "labels.sql").unlink()
    project.replace_setting("local_scheduler = true", "default_scheduler_port = 9")
    assert project.pipeline("doctor").status == 1
    found = wrong(project)
    assert list(found) == ["model package", "warehouse", "luigid"]
    assert "labels.sql does not exist" in found["model package"]
    assert "visits.csv. Put it there" in found["warehouse"]
    assert "http://localhost:9 does not answer" in found["luigid"]
    assert "luigid --address 127.0.0.1" in found["luigid"]


def test_a_luigid_that_answers_is_named(project):
    class Luigid(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Luigid) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        project.replace_setting(
            "local_scheduler = true", f"default_scheduler_port = {server.server_port}"
        )
        assert "answers" in findings(project)["luigid"][1]
        server.shutdown()


@pytest.fixture
def place(project, cloud) -> CloudProject:
    place = CloudProject(project, cloud, cloud.new_bucket(), cloud.new_dataset())
    place.project.set(compute_engine=MACHINES)
    place.project.replace_setting("[pipeline]", "[pipeline]\ncompute = google")
    return place


def test_a_cloud_that_is_set_up_is_healthy(place, pushed):
    text = (place.project.folder / "luigi.cfg").read_text()
    place.project.replace_setting(re.search(r"image = .*", text)[0], f"image = {pushed}")
    found = findings(place.project)
    assert not wrong(place.project)
    assert "EU; test-project may run queries" in found["warehouse"][1]
    assert "default of europe-west1 reaches Google's services" in found["subnetwork"][1]
    assert pushed in found["image"][1]
    place.project.replace_setting(pushed[-8:], "0" * 8)
    assert f"There is no image {pushed[:-8]}00000000. Push it" in wrong(place.project)["image"]


def test_each_thing_of_the_cloud_has_its_remedy(place):
    place.project.replace_setting("subnetworks/default", "subnetworks/closed")
    place.project.replace_setting(place.dataset.partition(".")[2], "no_such_dataset")
    host = f"europe-west1-docker.pkg.dev/{PROJECT}"
    place.project.replace_setting(host, f"127.0.0.1:9/{PROJECT}")
    found = wrong(place.project)
    assert list(found) == ["warehouse", "subnetwork", "image"]
    assert "`bq mk --location=LOCATION" in found["warehouse"]
    assert "subnets update closed --project=test-project" in found["subnetwork"]
    assert "--enable-private-ip-google-access`" in found["subnetwork"]
    assert "The registry 127.0.0.1:9 does not answer" in found["image"]


def test_a_permission_that_lacks_in_the_bucket_is_named(place, cloud):
    options = ClientOptions(api_endpoint=cloud.environment["STORAGE_EMULATOR_HOST"])
    client = storage.Client(
        project=PROJECT, credentials=AnonymousCredentials(), client_options=options
    )
    name = f"read-only-{place.bucket.removeprefix('gs://')}"
    client.create_bucket(name)
    place.project.replace_setting(place.bucket, f"gs://{name}")
    words = wrong(place.project)["storage"]
    assert f"In gs://{name} you lack storage.objects.create, storage.objects.delete." in words
    assert "--role=roles/storage.objectUser`" in words


def test_a_bucket_that_is_not_there_has_the_command_that_makes_it(place):
    place.project.replace_setting(place.bucket, "gs://no-such-bucket")
    assert "`gcloud storage buckets create gs://no-such-bucket" in wrong(place.project)["storage"]
