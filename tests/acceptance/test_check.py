"""`python -m pipeline check`: leaks that were planted are found and named."""

import pytest

FEATURES = "SELECT id, COUNT(*) AS visits FROM visits WHERE day < @date GROUP BY id"
LABELS = (
    "SELECT id, COUNTIF(day >= @start) AS back FROM visits WHERE day < @stop GROUP BY id"
    " HAVING MIN(day) < @start"
)
# Of the toy's visits, which go on to May 28th.
DAY, STOP = "2024-03-02", "2024-04-01"


@pytest.fixture
def dated(project):
    """Its visits say when they were; the horizon is 30 days."""
    project.set(sources="visits = day")
    write(project)
    return project


def write(project, features: str = FEATURES, labels: str = LABELS) -> None:
    folder = project.folder / "prediction" / "queries"
    (folder / "features.sql").write_text(features)
    (folder / "labels.sql").write_text(labels)


def check(project, date: str = STOP):
    return project.pipeline("check", "--date", date)


def test_honest_queries_are_proven_to_be(dated):
    ended = check(dated)
    assert ended.status == 0, ended.output
    features, labels, *_ = ended.output.splitlines()
    assert features.startswith(f"features.sql is honest: what came about on {DAY} or later, on ")
    assert labels.startswith(f"labels.sql is honest: what came about on {STOP} or later, on ")
    assert not list(dated.root.rglob("*.parquet"))


@pytest.mark.parametrize(
    "features",
    [
        pytest.param(FEATURES.replace("<", "<="), id="one day too many"),
        pytest.param(
            FEATURES.replace("COUNT(*)", "COUNT(*) + (SELECT COUNT(*) FROM visits)"),
            id="a subquery",
        ),
        pytest.param(
            "WITH all_visits AS (SELECT * FROM visits) SELECT v.id, COUNT(*) AS visits"
            " FROM visits v JOIN all_visits a ON a.id = v.id WHERE v.day < @date GROUP BY v.id",
            id="a WITH",
        ),
        pytest.param(
            "SELECT id, MAX(day) OVER () > @date AS visits FROM (SELECT id, MAX(day) AS day"
            " FROM visits GROUP BY id) WHERE @date IS NOT NULL",
            id="no cut at all",
        ),
        pytest.param(
            "SELECT id, SUM(IF(day >= @date, 1.5, 0)) / COUNTIF(day >= @date) AS visits"
            " FROM visits GROUP BY id",
            id="nothing but the future",
        ),
    ],
)
def test_a_feature_of_the_future_is_named_with_key_and_column(dated, features):
    write(dated, features)
    ended = check(dated)
    assert ended.status == 1
    [leak] = [line for line in ended.output.splitlines() if line.startswith("error: ")]
    assert leak.startswith(f"error: features.sql sees what came about on {DAY} or later: id = ")
    assert " has visits = " in leak
    assert "labels.sql is honest" in ended.output


def test_a_customer_who_is_there_only_later_is_named(dated):
    with (dated.folder / "visits.csv").open("a") as file:
        file.write("77,2024-05-01\n")
    write(dated, "SELECT id, COUNT(*) AS visits FROM visits WHERE @date IS NOT NULL GROUP BY id")
    ended = check(dated)
    assert "id = 77 is there because of it (one row differs)." in ended.output


def test_labels_that_see_a_day_too_many_are_named(dated):
    write(dated, labels=LABELS.replace("day < @stop", "day <= @stop"))
    ended = check(dated)
    assert ended.status == 1
    assert f"error: labels.sql sees what came about on {STOP} or later: id = " in ended.output
    assert "features.sql is honest" in ended.output


def test_a_table_without_a_column_of_time_can_not_be_proven(dated):
    (dated.folder / "people.csv").write_text("id,age\n1,30\n2,40\n")
    dated.replace_setting("[local_warehouse]", "[local_warehouse]\npeople = people.csv")
    write(
        dated,
        "SELECT v.id, COUNT(*) AS visits FROM visits v LEFT JOIN people p ON p.id = v.id"
        " WHERE v.day < @date GROUP BY v.id",
    )
    ended = check(dated)
    assert ended.status == 0, ended.output
    assert (
        "features.sql: people cannot be proven, as [sources] in luigi.cfg names no" in ended.output
    )
    assert "Keep snapshots of it" in ended.output
    assert "features.sql is honest" in ended.output


@pytest.mark.parametrize(
    "word", ["CURRENT_DATE()", "CURRENT_TIMESTAMP()", "RAND()", "GENERATE_UUID()"]
)
def test_what_is_another_each_time_is_refused(dated, word):
    write(dated, FEATURES.replace("COUNT(*)", f"COUNT({word})"))
    ended = check(dated)
    assert ended.status == 1
    assert (
        f"error: features.sql uses {word.removesuffix('()')}, whose value is another"
        in ended.output
    )


def test_where_nothing_came_later_nothing_is_proven(dated):
    ended = check(dated, "2024-12-01")
    assert ended.status == 1
    assert (
        "features.sql: nothing is proven, as visits has no row of 2024-11-01 or later."
        in ended.output
    )


def test_without_any_column_of_time_that_is_all_that_is_told(project):
    ended = check(project)
    assert ended.status == 0
    assert ended.output.count("cannot be proven") == 2


def test_a_column_that_is_none_is_refused_with_the_settings(project):
    project.set(sources="visits = no such column")
    ended = check(project)
    assert ended.status == 1
    assert "[sources] visits = no such column" in ended.output
    assert "the name of a column" in ended.output
