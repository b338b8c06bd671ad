"""Who works on a run: the create-only claims in its folder."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline import layout, storage
from pipeline.layout import Run
from pipeline.records import Claim

# Of this process: URL of a claim -> job.
_written: dict[str, str] = {}


@dataclass(frozen=True)
class Standing:
    """How a run stands: done or not, and the newest claim: its number (0: none) and job."""

    done: bool
    number: int
    job: str | None


def read_standing(run: Run) -> Standing:
    """Look at a run's folder, in one listing."""
    store = storage.open(run.folder)
    urls = [entry.url for entry in store.list(run.folder)]
    number = newest_claim(urls)
    job = _read(run.claim(number)) if number else None
    return Standing(run.marker in urls, number, job)


def newest_claim(urls: Iterable[str]) -> int:
    """The greatest N of the claims among `urls`, 0 when there is none."""
    return max((layout.claim_number(url) or 0 for url in urls), default=0)


def claim(run: Run, number: int, job: str) -> bool:
    """Write claim `number` of a run for `job`, or find it there. False when it is another job's."""
    url = run.claim(number)
    if storage.write_once(url, Claim(job).dump()):
        _written[url] = job
        return True
    return _read(url) == job


def _read(url: str) -> str:
    """The job that a claim names. A claim never changes: what we wrote is known."""
    return _written.get(url) or Claim.parse(storage.open(url).read(url), url).job
