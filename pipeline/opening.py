"""From settings to objects: the layout, limits and ports that the settings choose.

What only running a task needs is imported where it is used: a task that is done needs the layout.
What every task asks for is made once in a process, from the settings as they are by then.
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from pipeline import settings
from pipeline.dates import Schedule
from pipeline.layout import Layout, load_family

if TYPE_CHECKING:
    from pipeline.compute import Compute
    from pipeline.compute.orchestrator import Perform
    from pipeline.decision import Limits
    from pipeline.records import Budget
    from pipeline.warehouse import Warehouse


@cache
def current_layout() -> Layout:
    chosen = settings.pipeline()
    return Layout(chosen.storage, chosen.name, chosen.version)


@cache
def current_load_family() -> str:
    return load_family(settings.pipeline().warehouse, current_layout().table)


@cache
def current_schedule() -> Schedule:
    return Schedule(settings.pipeline().schedule)


@cache
def current_limits(family: str) -> "Limits":
    """How long the jobs of a family may take."""
    from pipeline.decision import Limits

    action = "application" if "application" in family else "training"
    limits = settings.jobs()
    # What the orchestrator does itself leaves no heartbeat: that its process lives is all there is.
    silence = limits.silence_limit_seconds if family == action else math.inf
    return Limits(
        limits.start_limit_seconds,
        silence,
        settings.action(action).deadline_seconds,
    )


@cache
def current_budgets() -> "Mapping[Budget, int]":
    from pipeline.records import Budget

    limits = settings.jobs()
    return {
        Budget.PREEMPTION: limits.preemption_retries,
        Budget.INFRASTRUCTURE: limits.infrastructure_retries,
    }


@cache
def open_compute() -> "Compute":
    """Where the model's jobs are carried out."""
    from pipeline import compute

    chosen = settings.pipeline()
    return compute.open(chosen.compute, chosen.work, chosen.prediction)


@cache
def open_extraction(action: str) -> "Compute":
    """Where data are made: by queries in the warehouse, or by listing files."""
    from pipeline.extraction import FileExtraction, QueryExtraction

    template = settings.action(action).data
    if template:
        return _open_here(FileExtraction(action, template))
    chosen = settings.pipeline()
    return _open_here(
        QueryExtraction(action, chosen.horizon_days, chosen.prediction, open_warehouse())
    )


@cache
def open_delivery() -> "Compute":
    """Where predictions are loaded into the warehouse."""
    from pipeline.delivery import Delivery

    return _open_here(Delivery(open_warehouse(), current_layout().table, current_load_family()))


@cache
def open_warehouse() -> "Warehouse":
    from pipeline import warehouse

    return warehouse.open(settings.pipeline().warehouse, settings.tables())


def _open_here(perform: "Perform") -> "Compute":
    from pipeline.compute.orchestrator import OrchestratorCompute

    return OrchestratorCompute(settings.pipeline().work, perform)
