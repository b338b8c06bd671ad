"""The fixture `cloud`: Google Cloud on this machine, for every test that asks for it."""

from collections.abc import Iterator

import pytest

from tests.cloud.servers import Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Started once by each process that runs tests; ends with it, whatever happens."""
    with Cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test inherits another's faults, requests or machines."""
    yield
    if "cloud" in request.fixturenames:
        servers: Cloud = request.getfixturevalue("cloud")
        servers.clear()
