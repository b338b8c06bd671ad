"""Every error raised on purpose. A message says what happened to which object, then what to do.

The first split is what the caller does next: `RetryableError` may go away by itself, all others
want a person.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass


class PipelineError(Exception):
    """A failure that a person can name."""


class RetryableError(PipelineError):
    """A failure that may be gone when the same thing is asked again."""


class SettingsError(PipelineError, ValueError):
    """A setting is missing, misspelt or does not go with another."""


class DateError(PipelineError, ValueError):
    """A date that is no date, lies in the future, or a range of dates that is empty."""


class ObjectMissingError(PipelineError, FileNotFoundError):
    """An object that should be in storage is not there."""


class ObjectExistsError(PipelineError, FileExistsError):
    """An object that was to be created once is there already."""


class StorageError(PipelineError, OSError):
    """Storage can't be read or written."""


class ChecksumError(PipelineError):
    """A file is not the one that its marker lists."""


class FormatError(PipelineError, ValueError):
    """A marker, claim or request is broken or was written by a newer version."""


class QueryError(PipelineError):
    """The warehouse refuses a query, or what it returns is not one row per key."""


class DataError(PipelineError, ValueError):
    """An input file is missing, unreadable or not what it should be."""


class TableError(PipelineError):
    """The predictions do not fit the table that they are to be loaded into."""


class TableMissingError(TableError):
    """There is no such table."""


class WarehouseBusyError(RetryableError):
    """Another process keeps the warehouse's file locked."""


class ComputeError(PipelineError):
    """A machine can't be made, looked at or deleted."""


class NoCapacityError(ComputeError, RetryableError):
    """A zone has no room for the machine now. Another may have."""


class MachineRefusedError(ComputeError):
    """The machine is refused for good: a quota, a permission, a setting that is wrong."""


@dataclass(frozen=True)
class Problem:
    """Why a date was not done: a `reason` of one line, the traceback's end, and the log's URL.

    `claim` is the number of the attempt that failed; 0 where that is not known. `for_good`: it
    would fail again, for a reason of its own.
    """

    date: datetime.date
    reason: str
    detail: str = ""
    log: str | None = None
    claim: int = 0
    for_good: bool = False


class JobFailedError(PipelineError):
    """A job gave up: the reason, the dates it leaves undone, and where its log lies.

    `problems` has the same for each date apart, for whoever tells of them in other words.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class FallbackError(PipelineError):
    """A date was filled by an older model, since the training of its own, of `date`, has failed.

    `untold` is the URL of what says so until people know.
    """

    def __init__(self, message: str, date: datetime.date, untold: str) -> None:
        super().__init__(message)
        self.date = date
        self.untold = untold


class CancelError(PipelineError):
    """There is no running job to cancel."""


class ForgetError(PipelineError):
    """A run can't be forgotten: it is not done, or a job works on what is made from it."""


class NoticeError(PipelineError):
    """A message about failures can't be sent. It says why without a secret."""
