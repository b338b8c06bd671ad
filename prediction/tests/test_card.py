"""The card that a training leaves, in its two forms."""

import datetime
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from prediction.tests.bench import Bench

MODELS = "prediction.tests.models:"
PLOTS = ("ROC curve", "Precision and recall", "Calibration", "Scores by class")


class Reader(HTMLParser):
    """What a browser would see of a page: its words, its elements, and what they ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.tags, self.asked = "", list[str](), list[str]()
        self._inside = ""
        self.feed(page)
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.words += " "
        self._inside = tag
        self.asked += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href")
        ]

    def handle_data(self, data: str) -> None:
        self.words += data if self._inside != "style" else ""


def texts(rows: int = 400) -> Any:
    return np.where(np.arange(rows) % 4 == 0, None, np.where(np.arange(rows) % 3, "a", "b"))


def many_classes(rows: int, classes: int) -> Any:
    return np.array([f"class {n % classes:02}" for n in range(rows)])


def test_a_card_tells_what_a_model_is_for_and_of_what_it_was_made(bench: Bench) -> None:
    window = {"start": "1998-01-01", "stop": "1998-04-01"}
    assert (
        bench.train(description="Who goes?", training_window=window, parameters={"slope": 2}) == 0
    )
    card, page = bench.card, Reader(bench.page)
    assert card["data"]["training_window"] == window
    assert [card["data"][name] for name in ("rows", "rows_fitted", "rows_held_out")] == [
        400,
        320,
        80,
    ]
    assert card["made"]["model"] == MODELS + "Plain"
    assert card["made"]["libraries"] == bench.description["libraries"]
    assert card["made"]["config"]["holdout"] == 0.2
    assert card["predicted"] == bench.description["predicted"]
    command = f"python -m prediction.main --action training --config {bench.folder}/training.json"
    for words in ("Who goes?", "start 1998-01-01", "rows 400", '"slope": 2', "pandas", command):
        assert words in page.words


def test_each_metric_stands_beside_its_interval_and_the_base_rate(bench: Bench) -> None:
    assert bench.train() == 0
    for name, value in bench.description["metrics"].items():
        found = bench.card["metrics"][name]
        assert found["value"] == value
        assert found["interval"][0] < value < found["interval"][1]
        assert found["previous"] is None
        worse = (
            found["base_rate"] > value if found["lower_is_better"] else found["base_rate"] < value
        )
        assert worse, name
    assert bench.card["metrics"]["roc_auc"]["base_rate"] == 0.5


def test_dates_are_told_and_that_the_latest_were_held_out(bench: Bench) -> None:
    columns = bench.training_data(month=np.repeat(["1998-01", "1998-02"], 200))
    assert bench.train(columns, date_column="month") == 0
    page = Reader(bench.page).words
    assert "dates 1998-01 to 1998-02" in page
    assert "held out 200, those of the latest dates of month" in page
    columns = bench.training_data(month=["1998-01"] * 400)
    assert bench.train(columns, date_column="month") == 0
    assert "held out 80, by key" in Reader(bench.page).words
    columns["month"] = [datetime.date(1998, 1, 1), None] * 200
    assert bench.train(columns, date_column="month", holdout=0) == 0
    assert "dates 1998-01-01 to 1998-01-01" in Reader(bench.page).words


def test_a_page_has_a_plot_for_each_curve_and_asks_for_nothing(bench: Bench) -> None:
    assert bench.train() == 0
    page = Reader(bench.page)
    assert page.tags.count("svg") == len(PLOTS)
    assert "script" not in page.tags
    assert not page.asked
    assert "@import" not in bench.page
    assert "url(" not in bench.page
    for name in PLOTS:
        assert name in page.words


def test_the_same_training_leaves_the_same_card(bench: Bench) -> None:
    assert bench.train() == 0
    before, page = bench.card, bench.page
    assert bench.train() == 0
    assert (bench.card, bench.page) == (before, page)


def test_curves_of_many_rows_have_few_points(bench: Bench) -> None:
    assert bench.train(bench.training_data(20_000)) == 0
    curves = bench.card["curves"]
    assert 100 < len(curves["roc"]["model"]) <= 200
    assert 100 < len(curves["precision_recall"]["model"]) <= 200
    assert (curves["roc"]["model"][0], curves["roc"]["model"][-1]) == ([0.0, 0.0], [1.0, 1.0])
    assert len(curves["calibration"]["model"]) == 10
    assert sum(curves["scores"]["true"]) == pytest.approx(1)


def test_the_feature_that_matters_is_told_first(bench: Bench) -> None:
    noise = np.random.default_rng(1).normal(size=400)
    assert bench.train(bench.training_data(a=noise, z=noise)) == 0
    leaned_on = bench.card["importance"]
    assert (leaned_on["metric"], leaned_on["rows"]) == ("roc_auc", 80)
    assert list(leaned_on["worse_by"]) == ["x", "a", "z"]
    assert leaned_on["worse_by"]["x"] > 0.2
    assert leaned_on["worse_by"]["a"] == leaned_on["worse_by"]["z"] == 0
    page = Reader(bench.page).words
    assert page.index("x double") < page.index("a double")


def test_a_model_that_can_not_bear_shuffled_features_is_kept_and_told_of(bench: Bench) -> None:
    data = bench.training_data()
    assert bench.train({**data, "copy": data["x"]}, model=MODELS + "Fussy") == 0
    assert bench.card["not_measured"] == [
        "The importance of features is not known: with shuffled features, KeyError: 'x is not its "
        "copy'"
    ]
    assert bench.card["importance"]["worse_by"] == {}
    assert "x is not its copy" in Reader(bench.page).words


def test_missing_values_are_told_of_every_type(bench: Bench) -> None:
    data = bench.training_data(text=texts(), truth=[None, True, False, True] * 100)
    data["x"] = np.where(np.arange(400) % 2, np.nan, data["x"])
    assert bench.train(data) == 0
    shares = {each["name"]: each["missing_share"] for each in bench.card["features"]}
    assert shares == {"x": 0.5, "text": 0.25, "truth": 0.25}
    assert set(bench.card["importance"]["worse_by"]) == set(shares)


def test_names_are_shown_as_they_are_and_never_carried_out(bench: Bench) -> None:
    name = "<script>alert(1)</script>"
    data = bench.training_data(**{name: np.arange(400.0)})
    assert bench.train(data, description="<b>bold</b> & so on", provenance={name: name}) == 0
    page = Reader(bench.page)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert name in page.words
    assert "<b>bold</b> & so on" in page.words


def test_without_rows_held_out_a_card_says_that_nothing_was_measured(bench: Bench) -> None:
    assert bench.train(holdout=0) == 0
    assert bench.card["metrics"] == bench.card["curves"] == {}
    page = Reader(bench.page)
    assert "No row was held out (holdout is 0): nothing was measured." in page.words
    assert "x double 0.0%" in page.words
    assert "svg" not in page.tags


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("Plain", "The model has no label to be compared with: nothing was measured."),
        ("Measured", "no label to be compared with: only its own metrics were measured. "),
    ],
)
def test_without_a_label_a_card_has_what_there_is(bench: Bench, model: str, words: str) -> None:
    assert bench.train(kind="none", label=None, ignore=["y"], model=MODELS + model) == 0
    page = Reader(bench.page).words
    assert words in page + " "
    assert "label (bool), probability (double)" in page
    assert ("held_out 80" in page) is (model == "Measured")


def test_a_regressions_card_has_residuals(bench: Bench) -> None:
    columns = bench.training_data(5000)
    columns["y"] = columns["x"] * 2 + np.random.default_rng(1).normal(size=5000)
    keys = {"kind": "regression", "model": MODELS + "Value", "parameters": {"slope": 2}}
    assert bench.train(columns, **keys) == 0
    page = Reader(bench.page)
    assert "Predicted and true" in page.words
    assert "Residuals" in page.words
    assert page.tags.count("svg") == 2
    metrics = bench.card["metrics"]
    assert metrics["rmse"]["interval"][0] < 1 < metrics["rmse"]["interval"][1]
    assert metrics["rmse"]["base_rate"] == pytest.approx(5**0.5, abs=0.15)
    assert metrics["r2"]["base_rate"] == pytest.approx(0, abs=0.01)
    assert sum(bench.card["curves"]["residuals"]["rows"]) == 1000
    assert len(bench.card["curves"]["predicted_and_true"]["rows"]) <= 400
    assert bench.card["importance"]["worse_by"]["x"] > 1


def test_a_perfect_regression_has_a_card(bench: Bench) -> None:
    columns = bench.training_data()
    columns["y"] = columns["x"] * 2
    keys = {"kind": "regression", "model": MODELS + "Value", "parameters": {"slope": 2}}
    assert bench.train(columns, **keys) == 0
    assert bench.card["metrics"]["rmse"]["interval"] == [0, 0]


def test_a_card_of_classes_has_a_table_of_who_was_taken_for_whom(bench: Bench) -> None:
    columns = bench.training_data()
    columns["y"] = np.where(columns["y"], "high", "low")
    assert bench.train(columns, kind="multiclass", model=MODELS + "Classes") == 0
    confusion = bench.card["curves"]["confusion"]
    assert confusion["classes"] == ["high", "low"]
    assert sum(map(sum, confusion["rows"])) == 80
    right = sum(confusion["rows"][n][n] for n in range(2))
    assert right / 80 == bench.card["metrics"]["accuracy"]["value"]
    page = Reader(bench.page).words
    assert "True class by row, guessed class by column" in page
    assert "base rate" in page


def test_rare_classes_are_one_in_the_table(bench: Bench) -> None:
    columns = bench.training_data(3000)
    columns["y"] = many_classes(3000, 60)
    assert bench.train(columns, kind="multiclass", model=MODELS + "Classes") == 0
    confusion = bench.card["curves"]["confusion"]
    assert confusion["classes"][-1] == "other"
    assert len(confusion["classes"]) == 13
    assert sum(map(sum, confusion["rows"])) == 600
    assert "141 more are in card.json" in Reader(bench.page).words


@pytest.mark.parametrize("slope", [0.0, 100.0])
def test_scores_that_are_all_the_same_or_only_0_and_1_have_a_card(
    bench: Bench, slope: float
) -> None:
    assert bench.train(parameters={"slope": slope}) == 0
    assert Reader(bench.page).tags.count("svg") == len(PLOTS)


def test_a_card_of_ten_rows_is_one(bench: Bench) -> None:
    assert bench.train(bench.training_data(10), holdout=0.3) == 0
    assert bench.card["data"]["rows_held_out"] in (2, 3)
    assert Reader(bench.page).tags.count("svg") == len(PLOTS)


def test_a_rare_class_has_its_importance(bench: Bench) -> None:
    data = bench.training_data(60_000)
    data["y"] = data["x"] > np.sort(data["x"])[-30]
    assert bench.train(data, holdout=0.5) == 0
    assert bench.card["importance"]["worse_by"]["x"] == pytest.approx(0.5, abs=0.2)


def test_what_the_pipeline_knows_is_told(bench: Bench) -> None:
    provenance = {"name": "churn", "version": "3", "command": "luigi TrainModel --date 2024-03-01"}
    assert bench.train(provenance=provenance) == 0
    assert bench.card["provenance"] == provenance
    page = Reader(bench.page).words
    assert "Model card: churn, version 3" in page
    assert "luigi TrainModel --date 2024-03-01" in page
    # The folder was that of one run.
    assert "--config training.json" in page
    assert str(bench.folder) not in page


def test_a_refused_training_leaves_the_card_that_was_there(bench: Bench) -> None:
    assert bench.train() == 0
    before = bench.page
    assert bench.train(floors={"roc_auc": 0.999}, description="another") == 1
    assert bench.page == before


def test_applying_a_model_loads_no_charts(bench: Bench) -> None:
    code = "import sys, prediction.core.application; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pygal", "jinja2", "prediction.core.card"} & set(ended.stdout.split())


def test_what_draws_the_card_is_no_part_of_the_model(bench: Bench) -> None:
    assert bench.train() == 0
    # In a process of its own, in which no other test has loaded anything; the second time all is.
    config = str(bench.folder / "training.json")
    words = ["--action", "training", "--config", config, "--config", config]
    subprocess.run([sys.executable, "-m", "prediction.main", *words], check=True)
    assert not {"pygal", "Jinja2", "MarkupSafe"} & set(bench.description["libraries"])
