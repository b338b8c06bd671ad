"""Secrets are read when they are used, from where the settings say that they are."""

import base64
import json
import os

from pipeline.errors import NoticeError

# The address of a server that stands in for Secret Manager.
EMULATOR = "SECRET_MANAGER_EMULATOR_HOST"
SECONDS = 10.0
_SERVICE = "https://secretmanager.googleapis.com"


def read(place: str) -> str:
    """The secret at `env:NAME` or `secret:projects/P/secrets/S[/versions/N]`.

    Raises `NoticeError` when there is none.
    """
    kind, _, name = place.partition(":")
    secret = _read_variable(name) if kind == "env" else _read_service(name)
    if not secret.strip():
        raise NoticeError(f"The secret of [notices] in luigi.cfg is empty at {place}. Fill it in.")
    return secret.strip()


def _read_variable(name: str) -> str:
    if name not in os.environ:
        raise NoticeError(
            f"The environment variable {name} that [notices] in luigi.cfg names is not set. Set it"
            " where the command is given, in the crontab for instance."
        )
    return os.environ[name]


def _read_service(name: str) -> str:
    """Source: cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions."""
    from google.auth.transport.requests import AuthorizedSession

    from pipeline import google_cloud

    version = name if "/versions/" in name else f"{name}/versions/latest"
    with google_cloud.naming(
        NoticeError,
        f"read {name} in Secret Manager",
        denied="Give MEMBER the role roles/secretmanager.secretAccessor on the secret.",
        missing="Correct [notices] in luigi.cfg, or make the secret.",
    ):
        credentials = google_cloud.credentials(EMULATOR)
        with AuthorizedSession(credentials) as session:  # type: ignore[no-untyped-call]
            reply = session.get(f"{_address()}/v1/{version}:access", timeout=SECONDS)
            if not reply.ok:
                raise google_cloud.refusal(reply)
            return _decode(reply.content, version)


def _decode(content: bytes, version: str) -> str:
    try:
        return base64.b64decode(json.loads(content)["payload"]["data"]).decode()
    except (ValueError, KeyError, TypeError):
        # Without the error's own words, which may hold a part of it.
        raise NoticeError(f"{version} in Secret Manager is no text. Write it anew.") from None


def _address() -> str:
    host = os.environ.get(EMULATOR)
    if not host:
        return _SERVICE
    return host if "://" in host else f"http://{host}"
