"""Whether a registry has an image.

Source: the OCI distribution specification, "Pulling manifests".
"""

import re
from http import HTTPStatus

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from pipeline.errors import ComputeError

_KINDS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json,"
    " application/vnd.docker.distribution.manifest.list.v2+json,"
    " application/vnd.docker.distribution.manifest.v2+json"
)
_TIMEOUT_SECONDS = 30.0
_LOOPBACK = ("127.0.0.1", "localhost")
# Who is asked in whose name: nobody else may see our token. boot.sh does the same.
_GOOGLES = re.compile(r"(.+\.)?(pkg\.dev|gcr\.io)")


def check(image: str) -> None:
    """Raise `ComputeError` when the registry of `image`, HOST/NAME@DIGEST, does not have it."""
    name, _, digest = image.partition("@")
    host, _, path = name.partition("/")
    here = host.partition(":")[0] in _LOOPBACK
    url = f"{'http' if here else 'https'}://{host}/v2/{path}/manifests/{digest}"
    ours = bool(_GOOGLES.fullmatch(host))
    headers = {"Accept": _KINDS, **(_authorization() if ours else {})}
    try:
        reply = requests.head(url, headers=headers, timeout=_TIMEOUT_SECONDS)
    except requests.RequestException as error:
        raise ComputeError(
            f"The registry {host} does not answer: {type(error).__name__}. Look at the network, or"
            " correct `image` under [compute_engine] in luigi.cfg."
        ) from error
    if reply.status_code == HTTPStatus.NOT_FOUND:
        raise ComputeError(
            f"There is no image {image}. Push it, `make push IMAGE={name}`, and name what that"
            " prints as image under [compute_engine] in luigi.cfg."
        )
    if reply.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        remedy = (
            "Have the registry's owner grant you roles/artifactregistry.reader."
            if ours
            else "Machines log in to Google's registries only: push it to Artifact Registry."
        )
        raise ComputeError(f"You may not read {image}. {remedy}")
    if not reply.ok:
        raise ComputeError(f"The registry {host} answers {reply.status_code} for {image}.")


def _authorization() -> dict[str, str]:
    """Who asks, as Artifact Registry wants to know it."""
    try:
        found, _ = google.auth.default(scopes=("https://www.googleapis.com/auth/cloud-platform",))
        found.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise ComputeError(
            "Nobody is logged in to Google Cloud. Type `gcloud auth application-default login`."
        ) from error
    return {"Authorization": f"Bearer {found.token}"}
