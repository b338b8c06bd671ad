"""A message to a webhook of Slack, or of what takes the same: a POST of {"text": ...}.

Its address is a secret, which no log and no error repeats. Source:
docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests

from pipeline.errors import NoticeError
from pipeline.notices import hosts, secret_places
from pipeline.notices.message import Message

SECONDS = 10.0
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def post(place: str, message: Message) -> None:
    """Send a message to the webhook whose address is at `place`. Raises `NoticeError`."""
    address = secret_places.read(place)
    _check(address, place)
    with _silence("urllib3.connectionpool"):
        status = _post(address, message)
    if not 200 <= status < 300:
        raise NoticeError(f"The webhook of {place} answers with status {status}. {_REMEDY}")


_REMEDY = "Nobody was told there; try its address with curl."


def _post(address: str, message: Message) -> int:
    try:
        with requests.post(
            address,
            json={"text": _escape(message.text)},
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,  # the status is all that counts
        ) as reply:
            return reply.status_code
    except requests.Timeout:
        why = f"does not answer within {SECONDS:.0f} seconds"
    except (requests.RequestException, ValueError):
        why = "can't be reached"
    # Outside of the block: the address is in the words of each of these errors.
    raise NoticeError(f"The webhook {why}. {_REMEDY}") from None


def _check(address: str, place: str) -> None:
    """Whoever reads the address on its way can write in the channel."""
    try:
        parts = urlsplit(address)
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and hosts.is_loopback(parts.hostname or "")
        )
    except ValueError:
        is_safe = False
    if not is_safe:
        raise NoticeError(f"The webhook of {place} is no https:// address. Correct the secret.")


def _escape(text: str) -> str:
    """Slack reads <...> as a link, or as a call to all who are there."""
    return "".join(_ESCAPES.get(character, character) for character in text)


@contextmanager
def _silence(name: str) -> Iterator[None]:
    """Where all libraries may log, this one logs the address."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
