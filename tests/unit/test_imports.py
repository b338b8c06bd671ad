"""Imports point one way, and what every run loads is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "container", "prediction")
PORTS = ("pipeline.storage", "pipeline.warehouse", "pipeline.compute")
HEAVY = ("google.cloud", "duckdb", "pandas", "sklearn", "pyarrow", "sqlglot", "numpy")
ONLY_TO_RUN = ("pipeline.running", "pipeline.jobs", "pipeline.records", "tqdm")
ONLY_TO_TELL = ("pipeline.notices.notes", "pipeline.notices.telling", "smtplib")
CLOUD = f"""
[pipeline]
name = toy
horizon_days = 30
storage = gs://bucket/models
warehouse = bigquery://a-project/predictions
compute = google

[compute_engine]
project = a-project
zones = europe-west1-b
subnetwork = regions/europe-west1/subnetworks/default
service_account = jobs@a-project.iam.gserviceaccount.com
image = models/toy@sha256:{"0" * 64}
"""


def modules() -> dict[str, set[str]]:
    """Every module of ours, and what it imports, wherever in the file."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "tests" not in parts:
                name = ".".join(parts).removesuffix(".__init__")
                found[name] = imports(path)
    return found


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return names


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


MODULES = modules()


def of_ours(name: str) -> set[str]:
    return {each for each in MODULES[name] if within(each, PACKAGES)}


def test_there_are_modules_to_look_at():
    assert {"pipeline.tasks", "pipeline.jobs", "container.run"} <= MODULES.keys()


def test_the_pipeline_never_imports_the_model_or_the_container():
    for name in MODULES:
        if within(name, ("pipeline",)):
            assert not {each for each in of_ours(name) if not within(each, ("pipeline",))}, name


def test_the_model_knows_neither_pipeline_nor_container():
    for name in MODULES:
        if within(name, ("prediction",)):
            assert not {each for each in of_ours(name) if not within(each, ("prediction",))}, name


def test_the_container_uses_the_protocol_and_storage_alone():
    allowed = ("container", "pipeline.storage", "pipeline.layout", "pipeline.records")
    allowed += ("pipeline.errors", "pipeline.claims", "pipeline.checksums", "pipeline.times")
    allowed += ("pipeline.code_versions", "pipeline.cleaned", "pipeline.fetching")
    allowed += ("pipeline.remaking", "pipeline.transfers")
    for name in MODULES:
        if within(name, ("container",)):
            others = {each for each in of_ours(name) if not within(each, allowed)}
            assert others <= {"pipeline"}, name


def test_layout_and_errors_import_nothing_of_ours():
    assert not of_ours("pipeline.layout")
    assert not of_ours("pipeline.errors")


@pytest.mark.parametrize("port", PORTS)
def test_a_port_knows_no_task_no_job_and_no_other_port_but_storage(port):
    others = tuple(each for each in PORTS if each not in (port, "pipeline.storage"))
    for name in MODULES:
        if within(name, (port,)):
            above = ("pipeline.tasks", "pipeline.jobs", "pipeline.targets", "pipeline.settings")
            assert not {each for each in of_ours(name) if within(each, (*others, *above))}, name


def test_jobs_know_no_task_and_no_luigi():
    for name in ("pipeline.jobs", "pipeline.claims", "pipeline.decision", "pipeline.records"):
        assert not {each for each in MODULES[name] if within(each, ("luigi", "pipeline.tasks"))}


def test_asking_for_what_is_done_loads_nothing_heavy():
    loaded = loaded_by("import luigi, pipeline")
    assert not [name for name in loaded if within(name, (*HEAVY, *ONLY_TO_RUN, *ONLY_TO_TELL))]


def test_checking_the_settings_of_the_cloud_loads_nothing_heavy(tmp_path):
    (tmp_path / "luigi.cfg").write_text(CLOUD)
    (tmp_path / "prediction").mkdir()
    statement = "import luigi, pipeline; from pipeline import settings; settings.check()"
    loaded = loaded_by(statement, folder=tmp_path)
    assert not [name for name in loaded if within(name, (*HEAVY, *ONLY_TO_RUN))]


def test_the_container_loads_no_scheduler_and_nothing_heavy():
    loaded = loaded_by("import container.run")
    assert not [name for name in loaded if within(name, ("luigi", *HEAVY))]


def loaded_by(statement: str, folder: Path = ROOT) -> list[str]:
    """The modules that are loaded once `statement` was carried out in `folder`."""
    code = f"import sys; {statement}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return ended.stdout.split()
