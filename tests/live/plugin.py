"""`make test-live`: pytest with this plugin runs the suites against Google Cloud itself.

Without it no test of this folder is found, and none speaks to the cloud.
"""

import signal
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from pipeline.errors import PipelineError, StorageError
from tests.live.place import Place
from tests.live.selection import is_local, why_not

_PLACE = pytest.StashKey[Place]()
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def pytest_addoption(parser: pytest.Parser) -> None:
    for name in ("project", "bucket", "dataset"):
        parser.addoption(f"--{name}", default="", help=f"{name.upper()} of make test-live")


def pytest_configure(config: pytest.Config) -> None:
    try:
        place = Place(*map(config.getoption, ("--project", "--bucket", "--dataset")))
        place.check()
    except PipelineError as failure:
        raise pytest.UsageError(str(failure)) from failure
    config.stash[_PLACE] = place
    config.pluginmanager.register(Live(place), "live")


@pytest.fixture(scope="session")
def live(pytestconfig: pytest.Config) -> Place:
    """Google Cloud itself. Ends the session when nothing can be made there."""
    place = pytestconfig.stash[_PLACE]
    try:
        place.new_dataset()
    except StorageError as failure:
        pytest.exit(str(failure), returncode=pytest.ExitCode.USAGE_ERROR)
    return place


class Live:
    """What is done about `place` in the course of a session."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._left_out: dict[str, set[str]] = defaultdict(set)
        self._ending = ""
        # Else these would end us at once, and what was made would stay.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)

    def pytest_report_header(self) -> str:
        return f"test-live: works in {self._place}"

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Function]
    ) -> None:
        chosen, others = [], []
        for test in items:
            reason = why_not(test)
            is_chosen = not reason and not is_local(test)
            (chosen if is_chosen else others).append(test)
            if reason and not is_local(test):
                self._left_out[reason].add(test.originalname)
        items[:] = chosen
        config.hook.pytest_deselected(items=others)

    # The last of the wrappers: fixtures have ended when it goes on, and nothing is reported yet.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        with _undisturbed():
            try:
                return (yield)
            finally:
                self._clean_up(session)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for reason, names in self._left_out.items():
            terminalreporter.section(f"left out, as they {reason}")
            for name in sorted(names):
                terminalreporter.line(name)
        terminalreporter.section("afterwards")
        terminalreporter.line(self._ending)

    def _clean_up(self, session: pytest.Session) -> None:
        try:
            self._ending = self._place.clean_up()
        except StorageError as failure:
            self._ending = str(failure)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Until the end nobody's second Ctrl-C keeps us from deleting."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
