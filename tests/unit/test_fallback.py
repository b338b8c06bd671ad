"""When a training is given up."""

import datetime

import pytest

from pipeline import claims
from pipeline.errors import JobFailedError, Problem
from pipeline.fallback import reason_given_up, recording
from pipeline.layout import Run

DATE = datetime.date(2024, 3, 1)


def test_an_attempt_that_another_has_begun_since_is_not_given_up(tmp_path):
    run = Run("training", DATE, f"{tmp_path}/training/date={DATE}")
    assert claims.claim(run, 1, "job-1")
    assert claims.claim(run, 2, "job-of-another")
    failed = JobFailedError("it failed", [Problem(DATE, "too few rows", claim=1, for_good=True)])
    with pytest.raises(JobFailedError), recording([run]):
        raise failed
    assert reason_given_up(run) is None


def test_the_newest_attempt_is_given_up_with_its_reason(tmp_path):
    run = Run("training", DATE, f"{tmp_path}/training/date={DATE}")
    assert claims.claim(run, 1, "job-1")
    failed = JobFailedError("it failed", [Problem(DATE, "too few rows", claim=1, for_good=True)])
    with pytest.raises(JobFailedError), recording([run]):
        raise failed
    assert reason_given_up(run) == "too few rows"


def test_what_may_succeed_when_it_is_tried_again_is_not_given_up(tmp_path):
    run = Run("training", DATE, f"{tmp_path}/training/date={DATE}")
    assert claims.claim(run, 1, "job-1")
    failed = JobFailedError("it failed", [Problem(DATE, "the machine vanished", claim=1)])
    with pytest.raises(JobFailedError), recording([run]):
        raise failed
    assert reason_given_up(run) is None
