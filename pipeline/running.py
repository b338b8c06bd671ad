"""What a task does when it is run: it orders its runs, and waits for them.

Loaded only then. Most tasks that are asked for are done already, and to find that out needs none
of this.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline import detaching, finished, opening, settings, targets
from pipeline.compute import HERE
from pipeline.errors import PipelineError
from pipeline.jobs import Order, Waiter
from pipeline.layout import Run
from pipeline.promises import warn_of_misfit
from pipeline.records import RunRequest
from pipeline.reporting import Reporter

if TYPE_CHECKING:
    from pipeline.tasks import RunTask

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")


def preload(task: "RunTask") -> None:
    """Load the libraries that `task` will need, before Luigi forks its workers: once for all."""
    opening.open_warehouse()
    task.open_compute()


def run(task: "RunTask") -> None:
    """Return when each run of `task` has its marker. Raises `JobFailedError` when some can't."""
    waiter = Waiter(
        opening.current_layout(),
        task.open_compute(),
        opening.current_limits(task.runs_family),
        opening.current_budgets(),
        settings.jobs().heartbeat_seconds,
    )
    orders = [_order(task, target.run) for target in task.output()]
    with Reporter(task) as report, detaching.told(lambda: _farewell(task.task_family, waiter)):
        waiter.finish(task.runs_family, orders, report)
    targets.remember(order.run for order in orders)
    task.conclude()


def check_promises(runs: Iterable[Run], constants: Mapping[str, object]) -> None:
    """Warn of models whose predictions the warehouse's table would refuse."""
    warehouse, table = opening.open_warehouse(), opening.current_layout().table
    for run in runs:
        warn_of_misfit(run, constants, warehouse, table)


def tell_warnings(runs: Iterable[Run]) -> None:
    """Pass on what the model had to say of its results, a line for each sentence.

    All is done by now: that nobody can read a marker is no failure.
    """
    for run in runs:
        try:
            sentences = finished.read_marker(run.marker).about.get("warnings", ())
        except PipelineError as error:
            sentences = [f"what the model warned of is not known: {error}"]
        for sentence in sentences:
            logger.warning("%s: %s", run, sentence)


def _order(task: "RunTask", run: Run) -> Order:
    made_from = {name: source.output() for name, source in task.sources(run.date).items()}
    inputs = {name: finished.seal(target.run) for name, [target] in made_from.items()}
    inputs |= {name: finished.seal(each) for name, each in task.compared_with(run.date).items()}

    def request(job: str) -> RunRequest:
        return RunRequest(run.date, run.folder, inputs, task.constants(run.date, inputs, job))

    sealed = inputs[task.image_from].marker if task.image_from else None
    return Order(run, request, finished.read_marker(sealed).image if sealed else None)


def _farewell(family: str, waiter: Waiter) -> Iterator[str]:
    # Extracting and loading end with the process that does them: nothing goes on.
    going_on = [w for w in waiter.watches if w.request.compute != HERE]
    for watch in going_on:
        for run in watch.open_runs:
            yield (
                f"{family} {run.date} goes on: {watch.job.name}. A rerun adopts it;"
                f" python -m pipeline cancel {family} {run.date} ends it."
            )
