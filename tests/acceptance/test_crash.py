"""Kill at random moments and run again: all is as if nothing had been.

The same with as many kills as you like: python benchmarks/crash.py --kills 50
"""

import random
from pathlib import Path

import pytest

from benchmarks import crash

KILLS = 6
BLOWS = 3  # in the life of one project
LIVES = 4
# A blow that comes when all is over is none: a quick machine needs more lives for as many.
MOST_LIVES = 30
WORK = crash.Work("toy", ("LoadToBigQuery", "--date", "2024-03-01"), crash.lay_out_toy)


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> crash.Truth:
    return crash.observe(tmp_path_factory.mktemp("undisturbed") / "project", WORK)


@pytest.mark.parametrize("victim", crash.VICTIMS)
def test_whoever_is_killed_the_next_command_brings_all_to_its_end(tmp_path: Path, truth, victim):
    killer = crash.Killer(victim, truth, random.Random(victim), BLOWS)
    tally = crash.Tally()
    for life in range(MOST_LIVES):
        if tally.kills < (KILLS if life < LIVES else BLOWS):
            crash.live(tmp_path / str(life), WORK, killer, tally)
    assert tally.problems == []
    assert tally.kills >= BLOWS
