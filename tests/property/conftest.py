"""How hypothesis looks for counterexamples, and a luigi.cfg that is another in each of them."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as how
from luigi.configuration import get_config

from pipeline import settings

# A fixture that is shared by the examples of a test is meant to be: a folder, most often. Where CI
# is set they are the same examples each time.
how.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
how.register_profile("CI", how.get_profile("here"), derandomize=True)

GOOD = {"name": "toy", "horizon_days": "30", "storage": "s", "warehouse": "w.duckdb"}

FEW = 20  # examples of each test, for `make test-fast`; `make test` tries 100

Configured = Callable[..., AbstractContextManager[ModuleType]]


def pytest_configure(config: pytest.Config) -> None:
    profile = how.get_profile("CI" if "CI" in os.environ else "here")
    if config.option.markexpr == "not slow":
        profile = how(profile, max_examples=FEW)
    how.register_profile("chosen", profile)
    how.load_profile("chosen")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configured]:
    """`with configured("[jobs]\\nheartbeat_seconds = 1", version="2") as settings:`."""
    config = get_config()
    before = {name: dict(config.items(name, raw=True)) for name in config.sections()}
    monkeypatch.delenv("LUIGI_CONFIG_PATH", raising=False)

    @contextmanager
    def configured(more: str = "", **changes: str) -> Iterator[ModuleType]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "prediction").mkdir()
        monkeypatch.chdir(folder)
        lines = [f"{key} = {text}" for key, text in {**GOOD, **changes}.items()]
        (folder / "luigi.cfg").write_text("\n".join(["[pipeline]", *lines, more, ""]), "utf-8")
        config.clear()
        config.read(folder / "luigi.cfg", "utf-8")
        settings.check.cache_clear()
        settings.check()
        yield settings

    yield configured
    config.clear()
    config.read_dict(before)
    settings.check.cache_clear()
