"""The fixture `cloud`: Google Cloud on this machine, for every test that asks for it.

With `make test-live` it is Google Cloud itself.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.cloud.servers import Cloud

if TYPE_CHECKING:
    from tests.live.place import Place


@pytest.fixture(scope="session")
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Cloud | Place"]:
    """Started once by each process that runs tests; ends with it, whatever happens."""
    if request.config.pluginmanager.has_plugin("live"):
        yield request.getfixturevalue("live")
        return
    with Cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test inherits another's faults, requests or machines."""
    yield
    if "cloud" in request.fixturenames:
        servers: Cloud | Place = request.getfixturevalue("cloud")
        servers.clear()
