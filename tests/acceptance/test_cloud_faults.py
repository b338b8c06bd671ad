"""Requests to the cloud fail at random: the chain ends right all the same.

benchmarks/faults.py does this two hundred times.
"""

import pytest

from benchmarks import faults
from tests.acceptance.forks import Forks


@pytest.mark.parametrize("seed", [0.1, 0.2, 0.3])
def test_a_date_is_loaded_once_however_many_requests_fail(cloud_project, seed):
    cloud_project.use_machines()
    with Forks(cloud_project.project.folder, cloud_project.environment) as forks:
        outcome = faults.run(forks, cloud_project, 1, seed, probability=0.15)
    assert outcome.problems == []
    assert outcome.faults > 0
