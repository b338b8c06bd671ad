"""`heartbeat`: tell whoever watches for silence that the day ended well."""

import requests

from pipeline import settings
from pipeline.errors import NoticeError
from pipeline.notices import secret_places

_SECONDS = 10.0


def heartbeat() -> None:
    """Call the URL at `heartbeat` under [notices]; no-op when there is none.

    Raises `NoticeError`, whose words do not hold the URL.
    """
    place = settings.notices().heartbeat
    if not place:
        return
    url = secret_places.read(place)
    try:
        status = requests.get(url, timeout=_SECONDS, allow_redirects=False).status_code
    except (requests.RequestException, ValueError):
        raise NoticeError(f"The heartbeat of {place} can't be sent. Look at the network.") from None
    if not 200 <= status < 300:
        raise NoticeError(f"The heartbeat of {place} is answered with status {status}.")
