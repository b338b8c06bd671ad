"""Views over the tables, in every warehouse: what becomes of a name that somebody's table has."""

import logging

import pytest

from pipeline import views
from pipeline.errors import TableError
from tests.contract.warehouses import DAY, Side, google_side, local_side, predictions


@pytest.fixture(params=["local", "google"])
def side(request: pytest.FixtureRequest) -> Side:
    if request.param == "local":
        return local_side(request.getfixturevalue("tmp_path"))
    cloud = request.getfixturevalue("cloud")
    for name, value in cloud.environment.items():
        request.getfixturevalue("monkeypatch").setenv(name, value)
    return google_side(cloud)


def test_a_view_that_dates_do_without_is_warned_of_once(side, caplog):
    house = side.make({})
    for table in ("evaluations", "evaluations_v1"):
        house.load(side.batch(predictions()), table)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            views.offer_once(house, views.EVALUATIONS, "evaluations_v1")
    [record] = caplog.records
    assert record.getMessage() == (
        "evaluations_v1 is loaded, and no view shows it: evaluations is a table. Rename it: a view"
        " is to have this name."
    )


def test_a_view_that_is_required_is_refused_before_its_table_is_there(side):
    house = side.make({})
    house.load(side.batch(predictions()), "predictions")
    with pytest.raises(TableError, match="predictions is a table"):
        views.require_once(house, views.PREDICTIONS)


def test_a_view_whose_table_is_still_to_come_is_made_once_it_is_there(side):
    house = side.make({})
    views.require_once(house, views.PREDICTIONS)
    house.load(side.batch(predictions()), "predictions_v1")
    views.publish_once(house, views.PREDICTIONS, "predictions_v1")
    assert house.read(views.PREDICTIONS, DAY).num_rows == 2
