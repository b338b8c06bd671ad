"""What Google's libraries raise, in our words: what happened to which object, and what to do."""

import io
import json

import pytest
import requests
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

from pipeline import google_cloud
from pipeline.errors import StorageError

DENIED = "Type `grant --member=MEMBER`."
LOGIN = "`gcloud auth application-default login`"


def reply(status: int, content: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.raw = io.BytesIO(content.encode())
    response.request = requests.Request("GET", "https://storage.googleapis.com/b/x?alt=media")
    return response


def answered(status: int, message: str) -> exceptions.GoogleAPICallError:
    """The error of an answer in JSON."""
    content = {"error": {"code": status, "message": message, "errors": []}}
    return exceptions.from_http_response(reply(status, json.dumps(content)))


def told(error: Exception) -> str:
    with (
        pytest.raises(StorageError) as raised,
        google_cloud.naming(StorageError, "read gs://b/x", denied=DENIED, missing="Make it."),
    ):
        raise error
    assert raised.value.__cause__ is error
    return str(raised.value)


def test_a_refusal_names_who_must_get_the_permission():
    why = "{} does not have storage.objects.get access."
    robot, person = "jobs@shop.iam.gserviceaccount.com", "anna.b@example.org"
    assert told(answered(403, why.format(robot))) == (
        f"Can't read gs://b/x: {why.format(robot)} Type `grant --member=serviceAccount:{robot}`."
    )
    assert told(answered(403, why.format(person))).endswith(f"`grant --member=user:{person}`.")
    assert told(answered(403, "Access denied.")) == f"Can't read gs://b/x: Access denied. {DENIED}"


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (
            "a@b.org does not have serviceusage.services.use access to the Google Cloud project.",
            "`gcloud auth application-default set-quota-project PROJECT`",
        ),
        (
            "Caller does not have required permission to use project shop. Grant the caller the"
            " roles/serviceusage.serviceUsageConsumer role.",
            "`gcloud auth application-default set-quota-project PROJECT`",
        ),
        (
            "Cloud Storage JSON API has not been used in project 12 before or it is disabled.",
            "`gcloud services enable SERVICE.googleapis.com --project=PROJECT`",
        ),
        ("Request had insufficient authentication scopes.", "--scopes=cloud-platform"),
        ("Quota exceeded: Your project exceeded quota for imports per table.", "higher quota"),
        ("The billing account for the owning project is disabled.", "Switch billing on"),
    ],
)
def test_a_refusal_that_no_role_cures_has_a_remedy_of_its_own(message, remedy):
    assert remedy in told(answered(403, message))
    assert "grant" not in told(answered(403, message)).partition(message)[2]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DefaultCredentialsError("Your default credentials were not found."), "nobody is logged"),
        (RefreshError("invalid_grant: Token has been revoked.", {"error": "x"}), "invalid_grant"),
        (answered(401, "Anonymous caller does not have access."), "Anonymous caller"),
    ],
)
def test_who_is_not_logged_in_reads_the_command(error, words):
    message = told(error)
    assert message.startswith(f"Can't read gs://b/x: {words}")
    assert LOGIN in message
    assert "\n" not in message
    assert "{" not in message


def test_what_is_not_there_gets_the_callers_remedy():
    error = answered(404, "Not found: Dataset shop:predictions")
    assert told(error) == "Can't read gs://b/x: Not found: Dataset shop:predictions. Make it."


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectionError("Connection refused"),
        TransportError("Failed to resolve 'oauth2.googleapis.com'"),
    ],
)
def test_a_network_that_fails_is_to_be_looked_at(error):
    assert "Look at the network. Run the command again." in told(error)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_to_be_tried_again(status):
    assert told(answered(status, "Busy.")) == "Can't read gs://b/x: Busy. Run the command again."


def test_what_was_asked_wrongly_is_to_be_corrected():
    assert told(answered(400, "Object names can't be 2000 bytes long.")) == (
        "Can't read gs://b/x: Object names can't be 2000 bytes long. Correct what it speaks of,"
        " and run the command again."
    )


def test_a_deadline_says_what_happened_last_and_how_long_was_tried():
    error = exceptions.RetryError("Timeout of 300.0s exceeded", answered(503, "Down."))
    words = "Down (Timeout of 300.0s exceeded). Run the command again."
    assert told(error) == f"Can't read gs://b/x: {words}"
    error = exceptions.RetryError("Timeout of 300.0s exceeded", requests.ConnectTimeout("slow"))
    assert "slow (Timeout of 300.0s exceeded). Look at the network" in told(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("No such object: b/x", "404 No such object: b/x. Make it."),
        ("<!DOCTYPE html>\n<p>Sorry", "404. Make it."),
        ('["json", "of another kind"]', '404 ["json", "of another kind"]. Make it.'),
    ],
)
def test_an_answer_that_is_no_json_of_googles_is_told_in_one_line(content, words):
    error = exceptions.from_http_status(404, "GET https://x: ...", response=reply(404, content))
    assert told(error) == f"Can't read gs://b/x: {words}"


def test_an_error_without_an_answer_says_its_own_words():
    assert told(exceptions.NotFound("Not found: Table")).startswith(
        "Can't read gs://b/x: Not found: Table. Make it."
    )


def test_other_errors_are_left_as_they_are():
    with pytest.raises(KeyError), google_cloud.naming(StorageError, "read gs://b/x"):
        raise KeyError("ours")


def test_an_emulator_is_asked_as_nobody(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    found = google_cloud.credentials("STORAGE_EMULATOR_HOST")
    assert isinstance(found, AnonymousCredentials)


def test_without_an_emulator_somebody_must_be_logged_in(monkeypatch, tmp_path):
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(DefaultCredentialsError):
        google_cloud.credentials("STORAGE_EMULATOR_HOST")


def test_patience_asks_again_what_the_library_would_and_ends():
    asked: list[int] = []

    def fail() -> None:
        asked.append(1)
        raise ConnectionError if len(asked) < 3 else KeyError

    retry = Retry(predicate=lambda error: isinstance(error, ConnectionError))
    with pytest.raises(KeyError):
        google_cloud.patient(retry)(fail)()
    assert len(asked) == 3
    asked.clear()
    with pytest.raises(exceptions.RetryError, match=r"Timeout of 0\.0s exceeded"):
        google_cloud.patient(retry, deadline_seconds=0.0)(fail)()
    assert len(asked) == 1
