"""Secrets from where they are: the environment, and a server that speaks as Secret Manager does."""

import pytest

from pipeline.errors import NoticeError
from pipeline.notices import secret_places
from tests.listeners import free_port, listen_as_secret_manager

PLACE = "secret:projects/shop/secrets/hook"


def test_a_variable_is_read_without_the_space_around_it(monkeypatch):
    monkeypatch.setenv("HOOK", " hunter2\n")
    assert secret_places.read("env:HOOK") == "hunter2"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(NoticeError, match=r"The environment variable HOOK that .* is not set"):
        secret_places.read("env:HOOK")


def test_a_secret_that_is_empty_is_named(monkeypatch):
    monkeypatch.setenv("HOOK", "")
    with pytest.raises(NoticeError, match=r"is empty at env:HOOK\. Fill it in"):
        secret_places.read("env:HOOK")


def test_the_newest_version_counts_unless_one_is_named(monkeypatch):
    with listen_as_secret_manager(**{"hook": "new", "hook/versions/1": "old"}) as host:
        monkeypatch.setenv(secret_places.EMULATOR, host)
        assert secret_places.read(PLACE) == "new"
        assert secret_places.read(f"{PLACE}/versions/1") == "old"


def test_a_secret_that_is_not_there_is_named(monkeypatch):
    with listen_as_secret_manager() as host:
        monkeypatch.setenv(secret_places.EMULATOR, host)
        with pytest.raises(NoticeError, match=r"Can't read projects/shop/secrets/hook in Secret"):
            secret_places.read(PLACE)


def test_a_service_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv(secret_places.EMULATOR, f"127.0.0.1:{free_port()}")
    with pytest.raises(NoticeError, match=r"Look at the network\."):
        secret_places.read(PLACE)


def test_a_secret_that_is_no_text_is_not_repeated(monkeypatch):
    with listen_as_secret_manager(hook=b"hunter2\xff") as host:
        monkeypatch.setenv(secret_places.EMULATOR, host)
        with pytest.raises(NoticeError, match="in Secret Manager is no text") as refused:
            secret_places.read(PLACE)
    assert "hunter2" not in str(refused.value)
