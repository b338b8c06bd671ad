"""What every warehouse promises. A new side is one more parameter of the fixture `side`."""

import datetime
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline import queries, storage
from pipeline.errors import DataError, ObjectMissingError, PipelineError, QueryError, TableError
from pipeline.warehouse import Warehouse
from tests.cloud.fixtures import Cloud
from tests.contract.warehouses import (
    DAY,
    NEXT_DAY,
    ORDERS,
    Side,
    google_side,
    local_side,
    predictions,
)


@pytest.fixture(params=["local", "google"])
def side(request: pytest.FixtureRequest) -> Side:
    if request.param == "local":
        return local_side(request.getfixturevalue("tmp_path"))
    cloud: Cloud = request.getfixturevalue("cloud")
    for name, value in cloud.environment.items():
        request.getfixturevalue("monkeypatch").setenv(name, value)
    return google_side(cloud)


@pytest.fixture
def house(side: Side) -> Warehouse:
    return side.make({"orders": ORDERS})


@pytest.fixture
def extract(side: Side, house: Warehouse) -> Callable[..., pa.Table]:
    def run(query: str, key: tuple[str, ...] = ("id",), **parameters: datetime.date) -> pa.Table:
        extraction = house.extract(query, parameters, key, f"{side.folder}/out")
        assert extraction.files == storage.open(side.folder).stats(f"{side.folder}/out")
        tables = [side.get(url) for url in extraction.files]
        assert extraction.rows == sum(table.num_rows for table in tables)
        assert extraction.columns == {each.name: str(each.type) for each in tables[0].schema}
        return pa.concat_tables(tables)

    return run


@pytest.fixture
def load(side: Side, house: Warehouse) -> Callable[..., int]:
    def run(name: str, *tables: pa.Table, date: datetime.date = DAY) -> int:
        return house.load(side.batch(*tables, date=date), name).rows

    return run


def test_an_extraction_leaves_parquet_in_the_folder_ordered_by_the_key(side, house):
    query = "SELECT id, COUNT(*) AS n FROM orders GROUP BY id"
    (url,) = house.extract(query, {}, ["id"], f"{side.folder}/out").files
    assert re.fullmatch(rf"{re.escape(side.folder)}/out/part-0+\.parquet", url)
    assert side.get(url).to_pydict() == {"id": [1, 2, 3], "n": [2, 1, 1]}


def test_a_key_of_several_columns_orders_by_all_of_them(extract):
    result = extract("SELECT date, id FROM orders", ("id", "date"))
    assert result["id"].to_pylist() == [1, 1, 2, 3]
    assert [date.day for date in result["date"].to_pylist()] == [2, 4, 3, 1]


def test_an_extraction_asked_again_leaves_the_same_bytes(side, house):
    query = "SELECT id, SUM(CAST(amount AS NUMERIC)) AS amount FROM orders GROUP BY id"
    contents = set()
    for folder in ("a", "a", "b"):
        (url,) = house.extract(query, {}, ["id"], f"{side.folder}/{folder}").files
        contents.add(storage.open(url).read(url))
    assert len(contents) == 1


def test_an_estimate_is_in_bytes_or_none_where_reading_is_free(side, house):
    query = "SELECT id, amount FROM orders WHERE date < @date"
    size = house.estimate(query, {"date": DAY})
    assert size is None or size > 0
    assert not list(storage.open(side.folder).list(f"{side.folder}/out"))


def test_parameters_are_dates(extract):
    result = extract(
        "SELECT DISTINCT id FROM orders WHERE date < @date", date=datetime.date(1998, 3, 3)
    )
    assert result["id"].to_pylist() == [1, 3]


def test_a_month_can_be_taken_from_a_parameter(extract):
    query = "SELECT 1 AS id, DATE_DIFF(@date, DATE '1998-01-01', MONTH) AS n, @date AS d"
    assert extract(query, date=DAY).to_pylist() == [{"id": 1, "n": 3, "d": DAY}]


def test_types_are_those_of_bigquery_whatever_computes_them(extract):
    result = extract(
        "SELECT 1 AS id, SUM(id) AS a, COUNTIF(id > 1) AS b, AVG(amount) AS c, MIN(date) AS d,"
        " MAX(placed_at) AS e, 'x' AS f, TRUE AS g, NUMERIC '1.123456789' AS h, NULL AS i,"
        " CAST('2.5' AS NUMERIC) AS j, id * id AS k FROM orders GROUP BY id LIMIT 1"
    )
    assert {field.name: str(field.type) for field in result.schema} == {
        "id": "int64",
        "a": "int64",
        "b": "int64",
        "c": "double",
        "d": "date32[day]",
        "e": "timestamp[us, tz=UTC]",
        "f": "string",
        "g": "bool",
        "h": "decimal128(38, 9)",
        "i": "int64",
        "j": "decimal128(38, 9)",
        "k": "int64",
    }
    assert result["h"].to_pylist() == [Decimal("1.123456789")]


def test_numeric_sums_are_exact(extract):
    result = extract("SELECT 1 AS id, SUM(CAST(amount AS NUMERIC)) AS amount FROM orders")
    assert result["amount"].to_pylist() == [Decimal("1.3")]


def test_the_day_of_a_timestamp_is_the_day_in_utc(extract):
    result = extract("SELECT DATE(placed_at) AS day, date FROM orders", ("day",))
    assert result["day"].equals(result["date"])


@pytest.mark.parametrize(
    "query",
    [
        "SELECT DISTINCT id FROM Shop.orders",
        "SELECT DISTINCT orders.id FROM `Shop.orders`",
        "SELECT DISTINCT o.id FROM Shop.orders AS o",
        "SELECT DISTINCT orders.id FROM `Shop`.orders WHERE orders.id > 0",
    ],
)
def test_a_table_may_have_a_name_of_two_parts(side, query):
    house = side.make({"Shop.orders": ORDERS})
    assert house.extract(query, {}, ["id"], side.folder).rows == 3


def test_a_table_may_have_a_name_of_three_parts(side):
    house = side.make({"a-project.shop.orders": ORDERS})
    query = "SELECT orders.id, MIN(orders.date) AS d FROM `a-project.shop.orders` GROUP BY 1"
    assert house.extract(query, {}, ["id"], side.folder).rows == 3


def test_a_with_may_have_the_name_of_the_table_that_it_reads(extract):
    query = (
        "WITH orders AS (SELECT * FROM orders WHERE id > 1), late AS (SELECT * FROM orders)"
        " SELECT id FROM Late"
    )
    assert extract(query)["id"].to_pylist() == [2, 3]


def test_a_query_may_end_with_a_semicolon_and_a_comment(extract):
    assert extract("SELECT 1 AS id; -- done").num_rows == 1


def test_a_composed_query_can_be_extracted(extract):
    composed = queries.compose_training(
        "SELECT id, COUNT(*) AS n FROM orders WHERE date < @date GROUP BY id; -- features",
        "WITH late AS (SELECT * FROM orders WHERE date < @stop)"
        " SELECT LOGICAL_OR(date >= @start) AS back, id FROM late GROUP BY id -- labels",
        ["id"],
        datetime.date(1998, 3, 3),
        DAY,
    )
    assert extract(composed.text, **composed.parameters).to_pylist() == [
        {"id": 1, "n": 1, "back": True},
        {"id": 3, "n": 1, "back": False},
    ]


def test_keys_that_come_twice_are_counted_and_shown(side):
    house = side.make({"orders": pa.table({"id": [*range(1000, 1007)] * 2})})
    with pytest.raises(
        QueryError,
        match=r"7 keys come more than once \(1000, 1001, 1002, 1003, 1004, \.\.\.\)",
    ):
        house.extract("SELECT id FROM orders", {}, ["id"], side.folder)


def test_a_key_of_two_columns_that_comes_twice_is_shown_whole(extract):
    with pytest.raises(QueryError, match=r"1 key comes more than once \(1 x\)"):
        extract("SELECT id, 'x' AS shop FROM orders", ("id", "shop"))


@pytest.mark.parametrize("culprit", ["features", "labels"])
def test_of_two_joined_queries_the_one_that_repeats_a_key_is_named(extract, culprit):
    texts = {
        "features": "SELECT DISTINCT id, 1 AS one FROM orders WHERE date < @date",
        "labels": "SELECT DISTINCT id, 2 AS two FROM orders WHERE date < @stop",
    }
    texts[culprit] = texts[culprit].replace("DISTINCT ", "")
    composed = queries.compose_training(texts["features"], texts["labels"], ["id"], DAY, NEXT_DAY)
    with pytest.raises(QueryError, match=rf"{culprit}.* 1 key comes more than once \(1\)"):
        extract(composed.text, **composed.parameters)


def test_a_key_that_is_null_is_refused(extract):
    with pytest.raises(QueryError, match="id is null in 2 rows"):
        extract("SELECT NULLIF(id, 1) AS id, date FROM orders", ("date", "id"))


def test_a_key_that_is_no_column_is_refused(extract):
    with pytest.raises(QueryError, match="returns no column customer, which is the key"):
        extract("SELECT id FROM orders", ("customer",))


def test_a_query_without_rows_is_refused_and_its_dates_are_told(extract):
    with pytest.raises(QueryError, match=r"no rows for @date = 1990-01-01\. Choose a date"):
        extract("SELECT id FROM orders WHERE date < @date", date=datetime.date(1990, 1, 1))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT id, id FROM orders", "(?i)returns id twice|duplicate.*id"),
        ("SELECT id,\n  (1 AS x FROM orders", "line 2, column"),
        ("SELECT 'id", "not closed|Unclosed"),
        ("SELECT id FROM nowhere", "nowhere"),
        ("SELECT id FROM no_such_shop.orders", "no_such_shop"),
        ("SELECT ident FROM orders", "ident"),
        ("SELECT NO_SUCH_THING(id) AS id FROM orders", "(?i)no_such_thing"),
        ("SELECT @later AS id", "@later"),
        ("SELECT 1 AS id; SELECT 2 AS id", "one SELECT"),
        ("DROP TABLE orders", "one SELECT"),
        ("SELECT CAST('abc' AS INT64) AS id", "abc"),
    ],
)
def test_a_query_that_can_not_be_run_is_refused_in_one_line(extract, query, message):
    with pytest.raises(QueryError, match=message) as refusal:
        extract(query)
    assert "\n" not in str(refusal.value)


def test_the_first_load_makes_the_table_and_returns_its_rows(house, load):
    assert load("predictions_v1", predictions()) == 2
    assert house.read("predictions_v1", DAY, order=["id"]).to_pylist() == [
        {"id": 1, "chance": 0.5, "date": DAY},
        {"id": 2, "chance": 0.25, "date": DAY},
    ]


def test_a_load_replaces_its_own_date_and_no_other(house, load):
    for date in (DAY, NEXT_DAY):
        load("p", predictions(date), date=date)
    assert load("p", predictions(id=[7], chance=[1.0])) == 1
    assert house.read("p", DAY)["id"].to_pylist() == [7]
    assert house.read("p", NEXT_DAY).num_rows == 2


def test_a_load_asked_again_changes_nothing(side, house):
    batch = side.batch(predictions())
    assert [house.load(batch, "p").rows for _ in range(2)] == [2, 2]
    assert house.read("p", DAY).num_rows == 2


def test_all_files_of_a_date_are_loaded(load):
    assert load("p", *(predictions(id=[n, n + 10]) for n in range(3))) == 6


def test_the_date_is_the_one_in_the_file_wherever_the_file_lies(side, house):
    url = side.put("date=1990-01-01/shop=3/a.parquet", predictions())
    house.load(replace(side.batch(predictions()), files=[url]), "p")
    assert house.read("p", DAY).column_names == ["id", "chance", "date"]


def test_types_of_predictions_are_those_of_bigquery(house, load):
    columns = {
        "id": pa.array([1, 2], pa.int32()),
        "chance": pa.array([0.5, 0.25], pa.float32()),
        "label": pa.array([True, None]),
        "name": pa.array(["a", "b"]).dictionary_encode(),
        "price": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
        "scored_at": pa.array([datetime.datetime(1998, 4, 1)] * 2, pa.timestamp("ms", "UTC")),
    }
    load("p", predictions(**columns))
    assert [str(kind) for kind in house.read("p", DAY).schema.types] == [
        "int64",
        "double",
        "bool",
        "string",
        "decimal128(38, 9)",
        "timestamp[us, tz=UTC]",
        "date32[day]",
    ]


def test_a_new_column_is_null_in_the_partitions_loaded_before(house, load):
    load("p", predictions())
    load("p", predictions(NEXT_DAY, why=["x", "y"]), date=NEXT_DAY)
    assert house.read("p", DAY)["why"].to_pylist() == [None, None]
    assert house.read("p", NEXT_DAY, order=["id"])["why"].to_pylist() == ["y", "x"]


def test_columns_may_come_in_another_order(house, load):
    load("p", predictions())
    load("p", predictions().select(["date", "chance", "id"]))
    assert pc.sum(house.read("p", DAY)["id"]).as_py() == 3


def test_a_column_of_another_type_is_refused_and_the_partition_stays(house, load):
    load("p", predictions())
    message = (
        "The files of 1998-04-01 do not fit the table p: chance is FLOAT64 in the table and STRING"
        r" in the files\. Raise `version`"
    )
    with pytest.raises(TableError, match=message):
        load("p", predictions(chance=["high", "low"], more=[1, 2]))
    assert house.read("p", DAY, order=["id"])["chance"].to_pylist() == [0.5, 0.25]


def test_a_column_that_the_files_lack_is_refused(load):
    load("p", predictions())
    with pytest.raises(TableError, match=r"chance \(FLOAT64\) is not in the files"):
        load("p", predictions().drop_columns(["chance"]))


def test_what_a_load_would_refuse_can_be_asked_before(house, load):
    fitting = {"ID": "int8", "chance": "float", "date": "date32[day]", "more": "large_string"}
    assert house.differences("p", fitting) == []
    load("p", predictions())
    assert house.differences("p", fitting) == []
    assert house.differences("p", {"id": "string", "date": "date32[day]"}) == [
        "id is INT64 in the table and STRING in the files",
        "chance (FLOAT64) is not in the files",
    ]
    (sentence,) = house.differences("p", {**fitting, "shape": "struct<a: int64>"})
    assert "shape is struct<a: int64>, which is the type of no column here" in sentence


def test_files_of_one_date_that_differ_from_each_other_are_refused(side, house):
    batch = side.batch(predictions(), predictions(more=[1, 2]))
    with pytest.raises(PipelineError, match=r"part-1\.parquet"):
        house.load(batch, "p")


def test_rows_of_another_date_are_refused_and_the_partition_stays(side, house, load):
    load("p", predictions())
    with pytest.raises(DataError, match=rf"p of 1998-04-01 hold rows of {side.other_dates}"):
        load("p", predictions(), predictions(NEXT_DAY))
    assert house.read("p", DAY).num_rows == 2


def test_files_without_the_date_are_refused(load):
    with pytest.raises(TableError, match="no column date"):
        load("p", predictions().drop_columns(["date"]))


def test_no_rows_are_refused_and_the_partition_stays(side, house, load):
    load("p", predictions())
    with pytest.raises(DataError, match="p of 1998-04-01 hold no rows"):
        load("p", predictions().slice(0, 0))
    with pytest.raises(DataError, match="no files for p of 1998-04-01"):
        house.load(replace(side.batch(predictions()), files=()), "p")
    assert house.read("p", DAY).num_rows == 2


def test_a_date_is_cleared_and_no_other(house, load):
    for date in (DAY, NEXT_DAY):
        load("p", predictions(date), date=date)
    for _ in range(2):
        house.clear("p", DAY)
        assert house.read("p", DAY).num_rows == 0
    assert house.read("p", NEXT_DAY).num_rows == 2
    assert load("p", predictions()) == 2


def test_to_clear_a_table_that_is_not_there_makes_none(house, load):
    house.clear("p", DAY)
    load("other", predictions())
    house.clear("p", DAY)
    with pytest.raises(TableError, match="no table p"):
        house.read("p", DAY)


def test_a_view_can_not_be_cleared(house, load):
    load("p", predictions())
    house.publish("predictions", "p")
    with pytest.raises(TableError, match="predictions is a view"):
        house.clear("predictions", DAY)
    assert house.read("p", DAY).num_rows == 2


def test_a_table_of_another_model_is_neither_loaded_into_nor_cleared(side, house, load):
    load("p", predictions())
    other = side.make({}, owner="sales")
    for change in (
        lambda: other.load(side.batch(predictions(id=[8, 9])), "p"),
        lambda: other.clear("p", DAY),
    ):
        with pytest.raises(
            TableError,
            match=r"p holds what the model churn has made, .* Give sales a \w+ of its own",
        ):
            change()
    assert house.read("p", DAY, order=["id"])["id"].to_pylist() == [1, 2]
    other.load(side.batch(predictions()), "q")


def test_a_file_that_is_not_there_is_named(side, house):
    batch = replace(side.batch(predictions()), files=[f"{side.folder}/gone.parquet"])
    with pytest.raises(ObjectMissingError, match=r"gone\.parquet does not exist"):
        house.load(batch, "p")


def test_a_file_that_is_not_parquet_is_named(side, house):
    url = f"{side.folder}/broken.parquet"
    storage.open(url).write(url, b"id,chance\n1,0.5\n")
    with pytest.raises(DataError, match=r"broken\.parquet can't be read as Parquet"):
        house.load(replace(side.batch(predictions()), files=[url]), "p")


def test_a_column_may_be_named_like_a_keyword(house, load):
    load("p", predictions(group=[1, 2], select=[3, 4]))
    assert house.read("p", DAY, order=["group"])["select"].to_pylist() == [3, 4]


def test_the_head_of_a_partition_is_its_first_rows_in_order(house, load):
    load("p", predictions(id=list(range(9, 0, -1)), chance=[0.5] * 9))
    assert house.read("p", DAY, order=["id"], rows=2)["id"].to_pylist() == [1, 2]


def test_a_date_that_was_never_loaded_has_no_rows(house, load):
    load("p", predictions())
    assert house.read("p", NEXT_DAY).num_rows == 0


def test_a_view_shows_the_first_table_until_it_is_told_to_show_another(house, load):
    for number, table in enumerate(("p_v1", "p_v2")):
        load(table, predictions(id=[number, 5]))
        house.publish("predictions", table)
    assert house.read("predictions", DAY, order=["id"])["id"].to_pylist() == [0, 5]
    house.publish("predictions", "p_v2", replace=True)
    assert house.read("predictions", DAY, order=["id"])["id"].to_pylist() == [1, 5]


def test_a_view_shows_columns_and_dates_that_came_after_it(house, load):
    load("p", predictions())
    house.publish("predictions", "p")
    load("p", predictions(NEXT_DAY, why=["x", "y"]), date=NEXT_DAY)
    assert house.read("predictions", NEXT_DAY, order=["id"])["why"].to_pylist() == ["y", "x"]


def test_a_table_is_never_replaced_by_a_view_of_its_name(house, load):
    for table in ("p", "predictions"):
        load(table, predictions())
    with pytest.raises(TableError, match="predictions is a table"):
        house.publish("predictions", "p", replace=True)
    with pytest.raises(TableError, match="predictions is a table"):
        house.publish("predictions", "not_yet")
    assert house.read("predictions", DAY).num_rows == 2


def test_a_view_can_not_be_loaded_into(house, load):
    load("p", predictions())
    house.publish("predictions", "p")
    with pytest.raises(TableError, match="predictions is a view"):
        load("predictions", predictions())


def test_a_table_that_is_not_there_can_be_neither_read_nor_published(house, load):
    with pytest.raises(TableError, match=r"no table p\. Load a date"):
        house.read("p", DAY)
    load("other", predictions())
    with pytest.raises(TableError, match=r"no table p\. Load a date"):
        house.read("p", DAY)
    with pytest.raises(TableError, match=r"no table p\. Load a date"):
        house.publish("predictions", "p")


def test_a_question_has_one_answer(house):
    query = "SELECT COUNT(*) > 1 FROM orders WHERE date < @date"
    assert house.ask(query, {"date": DAY}) is True
    assert house.ask("SELECT COUNT(*) FROM orders", {}) == len(ORDERS["id"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT id FROM orders", "returns 2 rows or more"),
        ("SELECT id FROM orders WHERE id > 100", "returns no rows"),
        ("SELECT COUNT(*), 1 FROM orders", "returns 2 columns"),
        ("SELECT nothing FROM orders", "nothing"),
    ],
)
def test_a_question_with_another_answer_is_refused(house, query, message):
    with pytest.raises(QueryError, match=message):
        house.ask(query, {})
