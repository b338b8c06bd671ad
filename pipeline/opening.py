"""From settings to objects: the layout, limits and ports that the settings choose.

What only running a task needs is imported where it is used: a task that is done needs the layout.
What every task asks for is made once in a process, from the settings as they are by then.
"""

import math
import platform
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from pipeline import settings
from pipeline.dates import Schedule
from pipeline.layout import Layout, data_folder, load_family, storage_digest

if TYPE_CHECKING:
    from pipeline.compute import Compute
    from pipeline.compute.orchestrator import Perform
    from pipeline.decision import Limits
    from pipeline.records import Budget
    from pipeline.warehouse import Warehouse


@cache
def current_pipeline() -> settings.pipeline:
    """The section [pipeline]. Luigi would look for each key in each place again: a millisecond."""
    return settings.pipeline()


@cache
def current_action(name: str) -> settings.ActionSettings:
    """The section of an action of the model package."""
    return settings.action(name)


@cache
def current_layout() -> Layout:
    chosen = current_pipeline()
    return Layout(chosen.storage, chosen.name, chosen.version)


@cache
def current_load_family() -> str:
    return load_family(_house(), current_layout().table)


@cache
def current_evaluations_family() -> str:
    return load_family(_house(), current_layout().evaluations_table, "evaluations")


def _house() -> str:
    """The warehouse, as nobody else's is called who shares the storage."""
    chosen = current_pipeline()
    if "://" in chosen.storage and "://" not in chosen.warehouse:
        # Others may have a warehouse at the same path of their machine.
        return f"{platform.node()}:{chosen.warehouse}"
    return chosen.warehouse


@cache
def current_schedule() -> Schedule:
    return Schedule(current_pipeline().schedule)


@cache
def current_limits(family: str) -> "Limits":
    """How long the jobs of a family may take."""
    from pipeline.decision import Limits

    action = next((name for name in ("application", "evaluation") if name in family), "training")
    limits = settings.jobs()
    # What the orchestrator does itself leaves no heartbeat: that its process lives is all there is.
    silence = limits.silence_limit_seconds if family == action else math.inf
    return Limits(
        limits.start_limit_seconds,
        silence,
        current_action(action).deadline_seconds,
    )


@cache
def current_budgets() -> "Mapping[Budget, int]":
    from pipeline.records import Budget

    limits = settings.jobs()
    return {
        Budget.PREEMPTION: limits.preemption_retries,
        Budget.INFRASTRUCTURE: limits.infrastructure_retries,
        # Each zone is tried once.
        Budget.CAPACITY: len(settings.machine_zones()) - 1,
    }


@cache
def open_compute() -> "Compute":
    """Where the model's jobs are carried out."""
    chosen = current_pipeline()
    if chosen.compute == "google":
        return _open_compute_engine()
    if chosen.compute == "docker":
        return _open_docker()
    from pipeline.compute.local import LocalCompute

    return LocalCompute(chosen.work, chosen.prediction)


@cache
def open_extraction(action: str) -> "Compute":
    """Where data are made: by queries in the warehouse, or by listing files."""
    if action == "evaluation":
        return _open_truth()
    from pipeline.extraction import FileExtraction, QueryExtraction
    from pipeline.row_bounds import RowBounds

    template = current_action(action).data
    if template:
        return _open_here(FileExtraction(action, template))
    chosen, own = current_pipeline(), current_action(action)
    bounds = RowBounds(action, own.min_rows, own.max_row_change_percent)
    return _open_here(
        QueryExtraction(action, chosen.horizon_days, chosen.prediction, open_warehouse(), bounds)
    )


@cache
def open_delivery() -> "Compute":
    """Where predictions are loaded into the warehouse."""
    from pipeline.delivery import Delivery

    layout = current_layout()
    return _open_here(
        Delivery(open_warehouse(), layout.table, layout.drift_table, current_load_family())
    )


def _open_truth() -> "Compute":
    from pipeline.truth import TruthExtraction

    return _open_here(TruthExtraction(current_pipeline().horizon_days, open_warehouse()))


@cache
def open_evaluation_delivery() -> "Compute":
    """Where evaluations are loaded into the warehouse."""
    from pipeline.evaluation_delivery import EvaluationDelivery

    layout, family = current_layout(), current_evaluations_family()
    delivery = EvaluationDelivery(open_warehouse(), layout.evaluations_table, family, layout)
    return _open_here(delivery)


@cache
def open_warehouse() -> "Warehouse":
    url = current_pipeline().warehouse
    if url.startswith("bigquery://"):
        return _open_bigquery(*url.removeprefix("bigquery://").split("/"))
    from pipeline import warehouse

    return warehouse.open(url, settings.tables(), current_pipeline().name)


def _open_docker() -> "Compute":
    from pipeline.compute.docker import DockerCompute

    chosen, root = settings.docker(), current_layout().root
    templates = [current_action(name).data for name in ("training", "application")]
    return DockerCompute(
        image=chosen.image,
        memory_gb=chosen.memory_gb,
        network=chosen.network,
        storage=root,
        digest=storage_digest(root),
        data_folders=sorted({data_folder(each) for each in templates if each.startswith("/")}),
    )


def _open_compute_engine() -> "Compute":
    from pipeline.compute.google import GoogleCompute, MachineKind

    chosen = settings.compute_engine()
    names = ("training", "application", "evaluation")
    actions = {name: current_action(name) for name in names}
    return GoogleCompute(
        project=chosen.project,
        zones=settings.machine_zones(),
        subnetwork=chosen.subnetwork,
        service_account=chosen.service_account,
        image=chosen.image,
        labels=_labels(),
        actions={
            name: MachineKind(each.machine_type, each.disk_size_gb, each.provisioning_model)
            for name, each in actions.items()
        },
        storage=current_layout().root,
        preemption_retries=settings.jobs().preemption_retries,
        start_seconds=settings.jobs().start_limit_seconds,
    )


def _open_bigquery(project: str, dataset: str) -> "Warehouse":
    from pipeline.warehouse.google import GoogleWarehouse

    chosen = settings.bigquery()
    return GoogleWarehouse(
        project,
        dataset,
        billing_project=chosen.billing_project or project,
        source_dataset=chosen.source_dataset or f"{project}.{dataset}",
        maximum_bytes_billed=chosen.maximum_bytes_billed,
        labels=_labels(),
    )


def _labels() -> dict[str, str]:
    """What everything that costs money is labelled with."""
    chosen = current_pipeline()
    labels = {"name": chosen.name, "version": str(chosen.version), "owner": chosen.owner}
    return {key: value for key, value in labels.items() if value}


def _open_here(perform: "Perform") -> "Compute":
    from pipeline.compute.orchestrator import OrchestratorCompute

    return OrchestratorCompute(current_pipeline().work, perform)
