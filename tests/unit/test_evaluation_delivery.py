"""The page of all evaluations."""

import datetime
from typing import Any

from pipeline.evaluation_delivery import draw

DAY = datetime.date(2024, 3, 4)


def figures(unlabelled: int = 0, unscored: int = 0, **metrics: float | None) -> dict[str, Any]:
    trained = dict.fromkeys(metrics, 0.5)
    counts = {"rows": 1200, "unlabelled": unlabelled, "unscored": unscored}
    return {**counts, "metrics": metrics, "trained": trained}


def test_each_metric_has_a_chart_and_the_means_share_one():
    page = draw("toy", {DAY: figures(roc_auc=0.8, f1=0.7, predicted=0.2, actual=0.3)})
    headings = [part.partition("</h2>")[0] for part in page.split("<h2>")[1:]]
    assert headings == ["ROC AUC", "F1", "Mean"]
    assert "<p>2024-03-04: 1,200 predictions met their label.</p>" in page


def test_predictions_without_a_label_are_told():
    assert "1,200 predictions met their label, 3 met none." in draw("toy", {DAY: figures(3, r2=1)})


def test_predictions_without_a_score_are_told():
    page = draw("toy", {DAY: figures(3, unscored=4, r2=1)})
    assert "met their label, 3 met none, 4 had no score to measure." in page


def test_a_metric_that_no_date_has_is_no_error():
    days = [DAY, DAY + datetime.timedelta(days=1)]
    page = draw("toy", {day: figures(roc_auc=None, log_loss=0.1) for day in days})
    assert "ROC AUC" in page
    assert "2 dates from" in page


def test_a_metric_that_began_later_has_a_gap_before():
    later = DAY + datetime.timedelta(days=1)
    page = draw("toy", {DAY: figures(accuracy=0.5), later: figures(accuracy=0.5, f1=0.5)})
    assert "<h2>F1</h2>" in page


def test_the_picture_of_the_newest_date_comes_last():
    page = draw("toy", {DAY: figures(r2=0.5)}, picture="<svg id='mine'></svg>")
    assert page.index("By tenths of the score, 2024-03-04") < page.index("<svg id='mine'>")
