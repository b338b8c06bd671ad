from pathlib import Path

import pytest

from prediction.tests.bench import Bench
from tests.image.fixtures import engine, example_image

__all__ = ["engine", "example_image"]


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(tmp_path, capsys)
