"""Signs of life: a thread that tells every few seconds what the job is doing, and its log."""

import datetime
import logging
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

from container.background import background
from pipeline import storage
from pipeline.errors import PipelineError
from pipeline.layout import Job
from pipeline.records import Heartbeat

logger = logging.getLogger("container")

_LOG_BYTES = 1_000_000
# Cloud Storage lets one object be written once a second (docs.cloud.google.com/storage/quotas).
_LOG_SECONDS = 1.0


class Heart:
    """Beats while it is told to. A beat that can't be written is left out.

    Parameters
    ----------
    job : Job
    log : Path
        The log's file on this machine; its last million bytes are copied to the job's folder.
    seconds : float
        Time between beats.
    log_seconds : float
        Time between two copies of the log, at least.
    """

    def __init__(
        self, job: Job, log: Path, seconds: float, log_seconds: float = _LOG_SECONDS
    ) -> None:
        self._job = job
        self._log = log
        self._seconds = seconds
        self._runs: dict[str, dict[str, object]] = {}
        self._count = 0
        self._log_seconds = log_seconds
        self._logged_bytes = 0
        self._next_log = float("-inf")
        self._lock = threading.Lock()
        self._log_lock = threading.Lock()

    def beating(self) -> AbstractContextManager[None]:
        """Beat as long as the `with` block lasts."""
        return background(self._beat_until_ended)

    def tell(
        self, date: datetime.date, progress: float, message: str, *, ended: bool = False
    ) -> None:
        """What the next beat says of the run of `date`; `ended`: its marker or failure is next."""
        with self._lock:
            self._runs[str(date)] = {
                "progress": round(progress, 4),
                "message": message,
                "ended": ended,
            }

    def tail(self) -> str:
        """The last part of the log."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - _LOG_BYTES))
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def write_log(self, *, last: bool = False) -> None:
        """Copy the last part of the log to the job's folder, if it has grown.

        What comes too soon after another copy is left to a later one, unless it is the `last`.
        """
        # One at a time: a beat must not put an older log over a newer one.
        with self._log_lock:
            size = self._log.stat().st_size if self._log.exists() else 0
            is_time = last or time.monotonic() >= self._next_log
            if size != self._logged_bytes and is_time:
                storage.open(self._job.log).write(self._job.log, self.tail().encode())
                self._logged_bytes = size
                self._next_log = time.monotonic() + self._log_seconds

    def _beat_until_ended(self, ended: threading.Event) -> None:
        while True:
            try:
                self._beat()
            except (PipelineError, OSError) as error:
                logger.warning("No sign of life could be left: %s", error)
            if ended.wait(self._seconds):
                return

    def _beat(self) -> None:
        with self._lock:
            self._count += 1
            content = Heartbeat(self._count, dict(self._runs)).dump()
        storage.open(self._job.heartbeat).write(self._job.heartbeat, content)
        self.write_log()
