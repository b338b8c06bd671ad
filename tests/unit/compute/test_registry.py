"""Whose name a registry is asked in; acceptance/test_doctor asks a real one."""

import pytest

from pipeline.compute.google import registry
from pipeline.errors import ComputeError

IMAGE = f"p/models/churn@sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """Credentials that are asked for are missing."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))


@pytest.mark.parametrize("host", ["europe-west1-docker.pkg.dev", "gcr.io", "eu.gcr.io"])
def test_googles_registries_are_told_who_asks(host):
    with pytest.raises(ComputeError, match="Nobody is logged in to Google Cloud"):
        registry.check(f"{host}/{IMAGE}")


@pytest.mark.parametrize("host", ["pkg.dev.invalid", "notpkg.invalid", "127.0.0.1:9"])
def test_nobody_else_is(host):
    with pytest.raises(ComputeError, match=f"The registry {host} does not answer"):
        registry.check(f"{host}/{IMAGE}")
