"""Composition of the user's two queries: what becomes of the text, and what is refused."""

import datetime

import pytest
import sqlglot

from pipeline.errors import QueryError
from pipeline.queries import compose_application, compose_training

START, STOP = datetime.date(1997, 12, 31), datetime.date(1998, 4, 1)
FEATURES = "SELECT id, SUM(n) AS total FROM orders WHERE date < @date GROUP BY id"
LABELS = "SELECT id, TRUE AS gone FROM orders WHERE date >= @start AND date < @stop"


def compose(features=FEATURES, labels=LABELS, key=("id",), beside_key=None):
    return compose_training(features, labels, key, START, STOP, beside_key=beside_key)


def test_training_joins_features_as_of_the_start_with_labels_of_the_days_up_to_the_stop():
    composed = compose()
    assert composed.parameters == {"date": START, "start": START, "stop": STOP}
    assert composed.text == (
        "-- features as of 1997-12-31, labels of [1997-12-31, 1998-04-01)\n"
        "SELECT\n"
        "  features.*,\n"
        "  labels.* EXCEPT (`id`)\n"
        "FROM (\n"
        "-- features.sql\n"
        f"{FEATURES}\n"
        ") AS features\n"
        "INNER JOIN (\n"
        "-- labels.sql\n"
        f"{LABELS}\n"
        ") AS labels\n"
        "USING (`id`)\n"
    )


def test_application_is_the_features_query_word_for_word():
    composed = compose_application(FEATURES, STOP)
    assert composed.text == FEATURES
    assert composed.parameters == {"date": STOP}


def test_a_key_of_several_columns_is_joined_on_all_of_them():
    features = "SELECT shop, id, 1 AS one FROM orders WHERE date < @date"
    labels = "SELECT shop, id, TRUE AS gone FROM orders WHERE date < @stop"
    text = compose(features, labels, key=("shop", "id")).text
    assert "USING (`shop`, `id`)" in text
    assert "EXCEPT (`shop`, `id`)" in text


def test_a_column_named_like_a_keyword_can_be_the_key():
    features = "SELECT `group`, 1 AS one FROM orders WHERE date < @date"
    labels = "SELECT `group`, TRUE AS gone FROM orders WHERE date < @stop"
    assert sqlglot.parse_one(compose(features, labels, key=("group",)).text, read="bigquery")


@pytest.mark.parametrize(
    "ending", [";", ";\n", " ; ;", "; -- done", " -- done", "# done; really", "\n/* a;\nb */", ""]
)
def test_a_query_may_end_with_semicolons_and_comments(ending):
    tree = sqlglot.parse_one(compose(FEATURES + ending, LABELS + ending).text, read="bigquery")
    assert [side.alias for side in tree.find_all(sqlglot.exp.Subquery)] == ["features", "labels"]


def test_a_semicolon_in_a_string_stays():
    features = "SELECT id, ';' AS mark FROM orders WHERE date < @date;"
    assert compose_application(features, STOP).text == features[:-1]


@pytest.mark.parametrize(
    "features",
    [
        "WITH a AS (SELECT * FROM orders WHERE date < @date) SELECT id, 1 AS one FROM a",
        "-- first a comment\n\nSELECT id, 1 AS one FROM orders WHERE date < @date",
        "(SELECT id, 1 AS one FROM orders WHERE date < @DATE)",
        "SELECT id, 1 AS one FROM a WHERE date < @date UNION ALL SELECT id, 2 FROM b",
        "SELECT * FROM orders WHERE date < @date",
    ],
)
def test_any_one_query_can_be_composed(features):
    assert features in compose(features).text


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("SELECT 1;\nSELECT @date", r"features\.sql, line 1: a second statement"),
        ("-- a\nDECLARE x INT64; SELECT x", r"features\.sql, line 2: DECLARE is no query"),
        ("CREATE TABLE a AS SELECT @date", r"features\.sql, line 1: CREATE is no query"),
        ("-- nothing\n;", r"features\.sql holds no query"),
        ("", r"features\.sql holds no query"),
        ("SELECT id,\n  SUM(n AS total FROM t", r"features\.sql, line 2, column 10, near 'AS': "),
        ("SELECT 'a',\n  'b, @date", r"features\.sql, line 2: a quote or comment .* not closed"),
        ("SELECT '''a\nb''',\n\n/* @date", r"features\.sql, line 4: a quote or comment"),
        ("SELECT @date, @today AS id", r"features\.sql uses @today, which .* Use only @date\."),
        ("SELECT @date, @start AS id", r"features\.sql uses @start, which .* Use only @date\."),
        ("SELECT @date, ? AS id", r"features\.sql uses \?, which has no value"),
        (
            "SELECT @date, @@project_id AS id",
            r"features\.sql uses @@project_id, which has no",
        ),
        ("SELECT id FROM orders", r"does not use @date.* Cut each table at `< @date`"),
        ("SELECT @date AS id, 1 AS a, 2 AS A", r"features\.sql returns a twice"),
        ("SELECT @date AS id, 1 + 1", r"Column 2 of features\.sql has no name"),
    ],
)
def test_a_query_that_can_not_be_run_is_refused_in_one_line(features, message):
    with pytest.raises(QueryError, match=message) as refusal:
        compose_application(features, STOP)
    assert "\n" not in str(refusal.value)


def test_labels_without_a_stop_are_refused_as_they_see_the_future():
    with pytest.raises(QueryError, match=r"labels\.sql does not use @stop"):
        compose(labels="SELECT id, TRUE AS gone FROM orders WHERE date >= @start")


def test_labels_can_not_use_the_date_of_the_features():
    with pytest.raises(QueryError, match=r"labels\.sql uses @date.* Use only @start and @stop\."):
        compose(labels="SELECT id, TRUE AS gone FROM orders WHERE date < @date")


def test_a_label_named_like_a_feature_is_refused():
    with pytest.raises(QueryError, match=r"both return a column Total\. Rename it in labels\.sql"):
        compose(labels="SELECT id, 1 AS Total FROM orders WHERE date < @stop")


def test_labels_that_are_only_the_key_are_refused():
    with pytest.raises(QueryError, match=r"labels\.sql returns only the key"):
        compose(labels="SELECT id FROM orders WHERE date < @stop")


def test_a_key_that_a_query_does_not_return_is_refused():
    with pytest.raises(QueryError, match=r"features\.sql returns no column customer, which is"):
        compose(key=("customer",))


@pytest.mark.parametrize("key", [("a b",), ("a`b",), ("",), ()])
def test_a_key_that_is_no_name_is_refused(key):
    with pytest.raises(QueryError, match="key"):
        compose(key=key)


STARS = {
    "of a WITH": "WITH late AS ({}) SELECT * FROM late",
    "of a subquery": "SELECT late.* FROM ({}) AS late JOIN orders USING (id)",
    "with an exception": "SELECT * EXCEPT (one) FROM (SELECT *, 1 AS one FROM ({}))",
}


@pytest.mark.parametrize("around", ["{}", *STARS.values()], ids=["plain", *STARS])
def test_what_labels_return_besides_the_label_is_refused_as_a_feature_of_the_future(around):
    labels = around.format("SELECT id, TRUE AS gone, 1 AS ahead FROM orders WHERE date < @stop")
    with pytest.raises(
        QueryError,
        match=r"labels\.sql returns ahead, which would be a feature that sees the future.*`ignore`",
    ) as refusal:
        compose(labels=labels, beside_key=["gone"])
    assert "\n" not in str(refusal.value)
    assert labels in compose(labels=labels, beside_key=["Gone", "ahead"]).text


def test_labels_whose_columns_only_the_warehouse_knows_are_to_name_them():
    labels = "SELECT l.* FROM labels AS l WHERE date < @stop"
    with pytest.raises(QueryError, match=r"labels\.sql returns `\*`.* Select the columns by their"):
        compose(labels=labels, beside_key=["gone"])
    assert labels in compose(labels=labels).text
