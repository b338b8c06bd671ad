"""`python -m pipeline check`: what queries return is fit for a model, whose predictions repeat."""

import pytest

from tests.acceptance.framework import use_framework

# Of the visits, which go on to May 28th; the horizon is 30 days.
BEFORE, STOP = "2024-03-02", "2024-04-01"
REPEATS = "The model of 2024-04-01 predicts the same for 40 rows, whatever the batches, their order"
SAME_TYPES = (
    "features.sql returns one row per id, and columns of the same types,"
    f" as of {BEFORE} and {STOP}."
)
OWN_ROW = "Let a prediction depend on its own row only."


@pytest.fixture
def dated(project):
    """A project by the framework of `prediction`, with no model yet."""
    use_framework(project)
    project.set(sources="visits = day")
    return project


@pytest.fixture
def trained(dated):
    ended = dated.luigi("TrainModel", "--date", STOP)
    assert ended.status == 0, ended.output
    return dated


def check(project):
    return project.pipeline("check", "--date", STOP)


def write_features(project, text: str) -> None:
    (project.folder / "prediction" / "queries" / "features.sql").write_text(text)


def change_predict(project, body: str) -> None:
    """Have the class predict otherwise, which was trained and found to be in order."""
    path = project.folder / "prediction" / "model.py"
    old = 'return pd.DataFrame({"label": data["visits"] > self.visits}, index=data.index)'
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, body))


def errors(ended) -> list[str]:
    assert ended.status == 1, ended.output
    return [line for line in ended.output.splitlines() if line.startswith("error: ")]


def test_a_model_that_repeats_is_told_to(trained):
    ended = check(trained)
    assert ended.status == 0, ended.output
    *_, types, predictions = ended.output.splitlines()
    assert types == SAME_TYPES
    assert predictions.startswith(REPEATS)
    assert not list(trained.root.glob("check/**/*.parquet"))


def test_where_no_model_is_yet_that_is_said(dated):
    ended = check(dated)
    assert ended.status == 0, ended.output
    assert ended.output.endswith(
        "No model yet: predictions are checked at training, and here once one is there.\n"
    )


def test_a_package_with_a_protocol_of_its_own_is_left_alone(project):
    assert project.luigi("TrainModel", "--date", STOP).status == 0
    ended = check(project)
    assert ended.status == 0, ended.output
    assert (
        "The model of 2024-04-01 is of a package with a protocol of its own: its predictions are"
        " not checked here." in ended.output
    )


def test_data_that_are_files_leave_nothing_to_prove(project):
    project.set(
        training="data = data/training-{date}.csv", application="data = data/application-{date}.csv"
    )
    ended = check(project)
    assert ended.status == 0, ended.output
    assert ended.output.startswith("Nothing to prove: the data are files (`data` under [training]")


@pytest.mark.parametrize(
    ("body", "way"),
    [
        pytest.param(
            'return pd.DataFrame({"label": data["visits"] > data["visits"].mean()}, data.index)',
            "in batches of 1",
            id="the mean of the batch",
        ),
        pytest.param(
            'return pd.DataFrame({"label": np.arange(len(data)) < 20}, data.index)',
            "in reversed order",
            id="the place in the batch",
        ),
        pytest.param(
            "import time\n"
            "        self.seen = data\n"
            "        time.sleep(0.05)\n"
            '        label = self.seen["spent"].to_numpy() % 2 == 0\n'
            '        return pd.DataFrame({"label": label}, data.index)',
            "in batches of 2, four at the same time",
            id="what is kept between calls",
        ),
    ],
)
def test_a_prediction_that_depends_on_other_rows_is_named(trained, body, way):
    change_predict(trained, body)
    ended = check(trained)
    [message] = errors(ended)
    assert message.startswith(
        f"error: the model of 2024-04-01 predicts otherwise when rows come {way}: id = "
    )
    assert " has label = " in message
    assert message.endswith(OWN_ROW)
    assert SAME_TYPES in ended.output


def test_the_query_that_was_sealed_with_the_model_makes_its_rows(trained):
    write_features(
        trained, "SELECT id, COUNT(*) AS other FROM visits WHERE day < @date GROUP BY id"
    )
    ended = check(trained)
    assert ended.status == 0, ended.output
    assert REPEATS in ended.output


def test_why_a_model_can_not_be_applied_is_told(trained):
    change_predict(trained, 'raise ValueError("no such luck")')
    [message] = errors(check(trained))
    assert "error: The model of 2024-04-01 can't be applied: " in message
    assert "/application.json: ValueError: no such luck" in message


def test_a_model_that_was_changed_is_not_loaded(trained):
    [path] = trained.root.glob("training/**/model.joblib")
    path.chmod(0o644)
    path.write_bytes(b"something else")
    [message] = errors(check(trained))
    assert "model.joblib is not the file that " in message
    assert "`python -m pipeline forget TrainModel 2024-04-01`" in message


def test_a_feature_that_no_model_can_take_is_named(dated):
    write_features(dated, "SELECT id, [1, 2] AS tags FROM visits WHERE day < @date GROUP BY id")
    [message] = errors(check(dated))
    assert message.startswith("error: features.sql returns tags as list<")
    assert "which no model can take" in message
    dated.edit_config("training", ignore=["tags"])
    assert check(dated).status == 0


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        pytest.param(
            "SELECT id, spent FROM visits WHERE day < @date", "come more than once", id="twice"
        ),
        pytest.param(
            "SELECT NULLIF(id, 3) AS id, COUNT(*) AS n FROM visits WHERE day < @date GROUP BY id",
            "id is null in 1 row",
            id="null",
        ),
    ],
)
def test_a_key_that_is_not_one_is_told_with_its_query(dated, features, problem):
    write_features(dated, features)
    [message] = errors(check(dated))
    assert message.startswith("error: features.sql: The query must return one row per key, but ")
    assert problem in message


def test_drift_that_would_stop_a_date_says_nothing_of_repeating(dated):
    dated.edit_config("application", drift_stop=0.001, missing_stop=0.001)
    assert dated.luigi("TrainModel", "--date", STOP).status == 0
    stopped = dated.luigi("ApplyModel", "--date", "2024-05-05")
    assert "above drift_stop = 0.001" in stopped.output
    ended = dated.pipeline("check", "--date", "2024-05-05")
    assert ended.status == 0, ended.output
    assert "The model of 2024-05-01 predicts the same for 40 rows" in ended.output


def test_labels_that_bring_a_feature_of_the_future_are_refused_by_training_and_by_check(dated):
    path = dated.folder / "prediction" / "queries" / "labels.sql"
    path.write_text(
        path.read_text().replace("AS label", "AS label, COUNTIF(day >= @start) AS ahead")
    )
    refused = "labels.sql returns ahead, which would be a feature that sees the future."
    [error] = errors(check(dated))
    assert error.startswith(f"error: {refused}")
    ended = dated.luigi("TrainModel", "--date", STOP)
    assert ended.status == 30
    assert refused in ended.output
    dated.edit_config("training", ignore=["ahead"])
    assert check(dated).status == 0
    assert dated.luigi("LoadToBigQuery", "--date", STOP).status == 0
