"""The engine, the registry and the images, as fixtures for every test."""

import os
import secrets
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.image.engine import NO_ENGINE, NO_REGISTRY, Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Docker engine that answers. Without one the test is skipped, and fails in CI."""
    engine = Engine()
    if not engine.answers():
        _go_without(NO_ENGINE.format(program=engine.program))
    return engine


@pytest.fixture(scope="session")
def registry(engine: Engine) -> str:
    """The address of a registry that the engine may push to. Without one: as without an engine."""
    address = os.environ.get("REGISTRY")
    if not address:
        _go_without(NO_REGISTRY)
    return address


def _go_without(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def toy_image(engine: Engine) -> Iterator[str]:
    """The id of an image with the model package of tests/toy."""
    with engine.image("tests/toy/prediction") as image:
        yield image


@pytest.fixture(scope="session")
def scheduler_image(engine: Engine) -> Iterator[str]:
    """The id of the scheduler's image with the model package of tests/toy."""
    with engine.image("tests/toy/prediction", dockerfile="scheduler/Dockerfile") as image:
        yield image


@pytest.fixture(scope="session")
def pushed(engine: Engine, registry: str, toy_image: str) -> Iterator[str]:
    """The toy image as a machine pulls it: NAME@sha256:..."""
    repository = f"{registry}/models/toy"
    tag = f"{repository}:1"
    engine.do("tag", toy_image, tag)
    engine.do("push", "--quiet", tag)
    # The same image may have been pushed to other repositories, by other tests.
    found = engine.do("image", "inspect", '--format={{join .RepoDigests " "}}', tag).split()
    [digest] = [each for each in found if each.startswith(f"{repository}@")]
    yield digest
    engine.try_to("image", "rm", "--force", tag, digest)


@pytest.fixture
def tagged(engine: Engine, toy_image: str) -> Iterator[str]:
    """A tag of the toy image, as `make image` gives one."""
    tag = f"orchestration-test-{secrets.token_hex(4)}:1-abc"
    engine.do("tag", toy_image, tag)
    yield tag
    engine.try_to("image", "rm", tag)


@pytest.fixture(scope="session")
def example_image(engine: Engine) -> Iterator[str]:
    """The id of the image that `make image` makes of this checkout. Only for prediction/tests."""
    with engine.image("prediction") as image:
        yield image
