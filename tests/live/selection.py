"""Which tests of the contract suites can run against Google Cloud itself, and why others can't."""

import inspect

import pytest

# Tests that ask for `cloud` want the other end of the wire: the proxy's log, or its faults.
NEEDS_SERVERS = "need the log or the faults of servers of our own"
_FIXED_NAME = "make or need a dataset or bucket of a fixed name, which may be somebody's"
LEFT_OUT = {
    "test_a_refused_write_names_the_object_and_the_remedy": NEEDS_SERVERS,
    "test_a_table_may_have_a_name_of_two_parts": _FIXED_NAME,
    "test_a_table_may_have_a_name_of_three_parts": _FIXED_NAME,
    "test_a_missing_bucket_is_named_with_the_command_that_makes_it": _FIXED_NAME,
    "test_a_dataset_that_is_not_there_is_told_with_the_command_that_makes_it": _FIXED_NAME,
}


def is_local(test: pytest.Function) -> bool:
    """Whether a test is of a suite's local side, which has nothing to do with the cloud."""
    parameters = test.callspec.params if hasattr(test, "callspec") else {}
    return parameters.get("side") == "local"


def why_not(test: pytest.Function) -> str:
    """Why a test is left out, or nothing when it can run."""
    if test.originalname in LEFT_OUT:
        return LEFT_OUT[test.originalname]
    if "cloud" in inspect.signature(test.function).parameters:
        return NEEDS_SERVERS
    return ""
