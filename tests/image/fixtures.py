"""The fixtures `engine`, `toy_image` and `example_image`, for every test that asks for them."""

import os
from collections.abc import Iterator

import pytest

from tests.image.engine import NO_ENGINE, Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Docker engine that answers. Without one the test is skipped, and fails in CI."""
    engine = Engine()
    if not engine.answers():
        reason = NO_ENGINE.format(program=engine.program)
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return engine


@pytest.fixture(scope="session")
def toy_image(engine: Engine) -> Iterator[str]:
    """The id of an image with the model package of tests/toy."""
    with engine.image("tests/toy/prediction") as image:
        yield image


@pytest.fixture(scope="session")
def example_image(engine: Engine) -> Iterator[str]:
    """The id of the image that `make image` makes of this checkout. Only for prediction/tests."""
    with engine.image("prediction") as image:
        yield image
