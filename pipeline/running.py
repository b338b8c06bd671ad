"""What a task does when it is run: it orders its runs, and waits for them.

Loaded only then. Most tasks that are asked for are done already, and to find that out needs none
of this.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline import checksums, detaching, opening, settings, storage
from pipeline.compute.orchestrator import OrchestratorCompute
from pipeline.jobs import Order, Waiter
from pipeline.layout import Run
from pipeline.records import Marker, RunRequest, Source
from pipeline.reporting import Reporter

if TYPE_CHECKING:
    from pipeline.tasks import RunTask


def preload() -> None:
    """Load the warehouse's libraries, before Luigi forks its workers: once for all of them."""
    opening.open_warehouse()


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


def _order(task: "RunTask", run: Run) -> Order:
    made_from = {name: source.output() for name, source in task.sources(run.date).items()}
    inputs = {name: _seal(target.run) for name, [target] in made_from.items()}

    def request(job: str) -> RunRequest:
        return RunRequest(run.date, run.folder, inputs, task.constants(run.date, job))

    image = _image(inputs[task.image_from]) if task.image_from else None
    return Order(run, request, image)


def _seal(run: Run) -> Source:
    return Source(run.marker, checksums.of_bytes(storage.open(run.marker).read(run.marker)))


def _image(source: Source) -> str | None:
    return Marker.parse(storage.open(source.marker).read(source.marker), source.marker).image


def _farewell(family: str, waiter: Waiter) -> Iterator[str]:
    # Extracting and loading end with the process that does them: nothing goes on.
    going_on = [w for w in waiter.watches if w.request.compute != OrchestratorCompute.name]
    for watch in going_on:
        for run in watch.open_runs:
            yield (
                f"{family} {run.date} goes on: {watch.job.name}. A rerun adopts it;"
                f" python -m pipeline cancel {family} {run.date} ends it."
            )
