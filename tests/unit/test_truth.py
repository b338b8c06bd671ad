"""The truth about a date: which labels, and when it is complete."""

import datetime

import pytest

from pipeline.dates import choose_days, refuse_untold
from pipeline.errors import DateError, QueryError
from pipeline.queries import compose_evaluation
from pipeline.times import today

START, STOP = datetime.date(2024, 3, 5), datetime.date(2024, 4, 4)
LABELS = "SELECT id, COUNT(*) > 0 AS label FROM t WHERE day >= @start AND day < @stop GROUP BY id"


def test_the_query_of_labels_is_run_as_it_is():
    composed = compose_evaluation(LABELS + ";", ("id",), START, STOP)
    assert composed.text == LABELS
    assert composed.parameters == {"start": START, "stop": STOP}


def test_labels_must_have_the_key():
    with pytest.raises(QueryError, match=r"labels\.sql returns no column shop, which is the key"):
        compose_evaluation(LABELS, ("id", "shop"), START, STOP)


def test_the_truth_about_a_date_is_complete_when_its_horizon_is_over():
    date = today() - datetime.timedelta(days=30)
    refuse_untold([START, date], 30)
    following = date + datetime.timedelta(days=1)
    words = f"The truth about {following} is complete on {today() + datetime.timedelta(days=1)}"
    with pytest.raises(DateError, match=words):
        refuse_untold([START, following], 30)


def test_the_last_dates_are_those_whose_horizon_is_over():
    newest = today() - datetime.timedelta(days=30)
    found = choose_days(None, None, 3, horizon_days=30)
    assert found == tuple(newest - datetime.timedelta(days=n) for n in (2, 1, 0))
