"""What the model needs is locked, for this machine and for the image."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lock", ["requirements.lock", "container/requirements.lock"])
def test_a_library_that_the_model_needs_is_in_the_locks(lock):
    lines = (ROOT / "prediction" / "requirements.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / lock).read_text(), re.MULTILINE))
    missing = [
        str(each)
        for each in wanted
        if not each.specifier.contains(locked.get(canonicalize_name(each.name), "0"))
    ]
    assert not missing, f"{lock} lacks these. Type `make lock`."
