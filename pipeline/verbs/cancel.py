"""`cancel`: end the job that works on a run."""

import datetime

from pipeline import jobs, opening
from pipeline.errors import CancelError
from pipeline.verbs.runs import find_run


def cancel(task: str, date: datetime.date) -> None:
    """End the job that works on a run. Raises `CancelError` when none does."""
    job = jobs.cancel(opening.current_layout(), find_run(task, date), opening.open_compute())
    if job is None:
        raise CancelError(f"No job works on {task} of {date}. There is nothing to cancel.")
    print(f"{job} is cancelled. {task} of {date} can be run again.")
