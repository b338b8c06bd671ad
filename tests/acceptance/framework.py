"""The framework of `prediction`, as this checkout has it, in a project of the tests."""

import shutil
from pathlib import Path

from tests.conftest import Project, write_visits

ROOT = Path(__file__).parents[2]
FRAMEWORK = ("__init__.py", "main.py", "task.py", "core")


def use_framework(project: Project, customers: int = 40) -> None:
    """Replace the toy's package by tests/visits's, whose visits also have an amount spent."""
    write_visits(project.folder / "visits.csv", customers)
    package = project.folder / "prediction"
    shutil.rmtree(package)
    shutil.copytree(ROOT / "tests" / "visits" / "prediction", package)
    for name in FRAMEWORK:
        path = ROOT / "prediction" / name
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, package / name)
    lines = (project.folder / "visits.csv").read_text().splitlines()
    spent = [f"{line},{number % 90}" for number, line in enumerate(lines[1:])]
    (project.folder / "visits.csv").write_text("\n".join([f"{lines[0]},spent", *spent, ""]))
