"""A project with the framework of this checkout, and a model of the tests."""

import shutil
from pathlib import Path

from tests.conftest import Project

ROOT = Path(__file__).parents[2]
FRAMEWORK = ("__init__.py", "main.py", "task.py", "core")


def use_framework(project: Project) -> None:
    """Give `project` the package of tests/visits, and visits at which something is spent."""
    package = project.folder / "prediction"
    shutil.rmtree(package)
    shutil.copytree(ROOT / "tests" / "visits" / "prediction", package)
    for name in FRAMEWORK:
        path = ROOT / "prediction" / name
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, package / name)
    lines = (project.folder / "visits.csv").read_text().splitlines()
    spent = [f"{line},{number % 90}" for number, line in enumerate(lines[1:])]
    (project.folder / "visits.csv").write_text("\n".join([f"{lines[0]},spent", *spent, ""]))
