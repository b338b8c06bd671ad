"""From settings to objects: the layout, limits and ports that the settings choose."""

from collections.abc import Mapping
from functools import cache

from pipeline import compute, settings, warehouse
from pipeline.compute import Compute
from pipeline.compute.orchestrator import OrchestratorCompute, Perform
from pipeline.decision import Limits
from pipeline.delivery import Delivery
from pipeline.extraction import FileExtraction, QueryExtraction
from pipeline.layout import Layout, load_family
from pipeline.records import Budget
from pipeline.warehouse import Warehouse


def current_layout() -> Layout:
    chosen = settings.pipeline()
    return Layout(chosen.storage, chosen.name, chosen.version)


def current_load_family() -> str:
    return load_family(settings.pipeline().warehouse, current_layout().table)


def current_limits(family: str) -> Limits:
    """How long the jobs of a family may take."""
    action = "application" if "application" in family else "training"
    limits = settings.jobs()
    return Limits(
        limits.start_limit_seconds,
        limits.silence_limit_seconds,
        settings.action(action).deadline_seconds,
    )


def current_budgets() -> Mapping[Budget, int]:
    limits = settings.jobs()
    return {
        Budget.PREEMPTION: limits.preemption_retries,
        Budget.INFRASTRUCTURE: limits.infrastructure_retries,
    }


def open_compute() -> Compute:
    """Where the model's jobs are carried out."""
    chosen = settings.pipeline()
    return compute.open(chosen.compute, chosen.work, chosen.prediction)


def open_extraction(action: str) -> Compute:
    """Where data are made: by queries in the warehouse, or by listing files."""
    template = settings.action(action).data
    if template:
        return _open_here(FileExtraction(action, template))
    chosen = settings.pipeline()
    return _open_here(
        QueryExtraction(action, chosen.horizon_days, chosen.prediction, open_warehouse())
    )


def open_delivery() -> Compute:
    """Where predictions are loaded into the warehouse."""
    return _open_here(Delivery(open_warehouse(), current_layout().table, current_load_family()))


def open_warehouse() -> Warehouse:
    return warehouse.open(settings.pipeline().warehouse, settings.tables())


@cache
def preload() -> None:
    """Load the warehouse's libraries, before Luigi forks its workers: once for all of them."""
    open_warehouse()


def _open_here(perform: Perform) -> Compute:
    return OrchestratorCompute(settings.pipeline().work, perform)
