"""What the three Google sides share: who asks, how long we wait, and errors in our words.

A side makes its clients when it first needs them, so that each process that Luigi forks has
clients of its own.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import google.auth
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
from requests import Response
from requests.exceptions import RequestException

from pipeline.errors import PipelineError

# One request, and one call with all the repetitions of its requests.
REQUEST_SECONDS = 60.0
DEADLINE_SECONDS = 300.0

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

_AGAIN = "Run the command again."
_CORRECT = "Correct what it speaks of, and run the command again."
_LOGIN = (
    "Type `gcloud auth application-default login`, or give this machine a service account, and"
    " run the command again."
)
# A refusal whose cause is not a role that lacks: words of the service, and what to do. Source:
# cloud.google.com/docs/authentication/troubleshoot-adc
_REFUSALS = {
    r"serviceusage\.services\.use|required permission to use project": (
        "Name a project that you may use: `gcloud auth application-default set-quota-project"
        " PROJECT`."
    ),
    r"has not been used in project|it is disabled": (
        "Type `gcloud services enable SERVICE.googleapis.com --project=PROJECT`, or choose"
        " another project in luigi.cfg."
    ),
    r"authentication scopes|scope\(s\)": (
        "Stop this machine and type `gcloud compute instances set-service-account NAME"
        " --scopes=cloud-platform`."
    ),
    r"billing": "Switch billing on for the project, or choose another in luigi.cfg.",
    r"(?i)quota exceeded|exceeded quota|rate limit": (
        f"Wait a while, or ask for a higher quota. {_AGAIN}"
    ),
}
_PRINCIPAL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def credentials(emulator: str) -> Credentials:
    """Those of this machine: its user's or its service account's.

    Nobody's when the environment variable `emulator` names a server, which then needs none.
    Raises `google.auth.exceptions.DefaultCredentialsError`.
    """
    if os.environ.get(emulator):
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    found, _ = google.auth.default(scopes=_SCOPES)
    return found


def patient(retry: Retry, deadline_seconds: float = DEADLINE_SECONDS) -> Retry:
    """A library's own rule of what is asked again, with our pauses and our deadline."""
    return retry.with_delay(initial=0.5, maximum=30.0, multiplier=2.0).with_timeout(
        deadline_seconds
    )


@contextmanager
def naming(
    raises: type[PipelineError], doing: str, *, denied: str = "", missing: str = ""
) -> Iterator[None]:
    """Turn what Google's libraries raise into `raises`: "Can't <doing>: <why>. <remedy>".

    Parameters
    ----------
    raises : class of `PipelineError`
    doing : str
        A verb and the object, such as "read gs://bucket/object".
    denied, missing : str
        What to do when permission is lacking, and when something is not there: a sentence. In
        `denied` the word MEMBER becomes the one who lacks it, as `gcloud` wants it, where the
        service says who that is.
    """
    try:
        yield
    except (exceptions.GoogleAPIError, GoogleAuthError, RequestException) as error:
        why = _words(error)
        remedy = _remedy(_last(error), why, denied, missing)
        raise raises(f"Can't {doing}: {why}. {remedy}".rstrip()) from error


def refusal(reply: Response) -> exceptions.GoogleAPICallError:
    """What `naming` turns into words, of a service that is asked without its library."""
    return exceptions.from_http_response(reply)  # type: ignore[no-any-return,no-untyped-call]


def _last(error: Exception) -> Exception:
    """What went wrong the last time, when something was asked again and again."""
    if isinstance(error, exceptions.RetryError) and error.cause is not None:
        return error.cause  # type: ignore[no-any-return]
    return error


def _remedy(error: Exception, why: str, denied: str, missing: str) -> str:
    if isinstance(error, TransportError | RequestException):
        return f"Look at the network. {_AGAIN}"
    if isinstance(error, GoogleAuthError | exceptions.Unauthorized):
        return _LOGIN
    if isinstance(error, exceptions.Forbidden):
        others = (remedy for words, remedy in _REFUSALS.items() if re.search(words, why))
        return next(others, denied.replace("MEMBER", _member(why)))
    if isinstance(error, exceptions.NotFound):
        return missing
    asked_wrongly = isinstance(error, exceptions.ClientError) and not _is_passing(error)
    return _CORRECT if asked_wrongly else _AGAIN


def _is_passing(error: exceptions.ClientError) -> bool:
    return error.code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT)


def _member(why: str) -> str:
    """Who is refused, by the address that the service calls her by."""
    found = _PRINCIPAL.search(why)
    if not found:
        return "MEMBER"
    kind = "serviceAccount" if found[0].endswith("gserviceaccount.com") else "user"
    return f"{kind}:{found[0]}"


def _words(error: Exception) -> str:
    """Why something failed, in one line and without the address that was asked."""
    if isinstance(error, exceptions.RetryError):
        return f"{_words(_last(error))} ({_line(error.message)})"
    if isinstance(error, DefaultCredentialsError):
        return "nobody is logged in to Google Cloud"
    response = getattr(error, "response", None)
    if response is not None:
        return _line(_told(response))
    return _line(str(error.args[0]) if error.args else "") or type(error).__name__


def _told(response: Any) -> str:
    """What a reply says: the message of a service, or what else there is to read."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        is_page = response.text.lstrip().startswith("<")
        return f"{response.status_code} {'' if is_page else response.text}"


def _line(words: str) -> str:
    return " ".join(words.split()).rstrip(".")
