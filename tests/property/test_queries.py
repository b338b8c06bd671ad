"""The user's queries, with all that a text can hold, composed and run."""
# ruff: noqa: S608 - queries of our own

import datetime

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from pipeline.errors import QueryError
from pipeline.queries import compose_application, compose_training
from pipeline.warehouse.local import LocalWarehouse

DAY = datetime.date(2024, 3, 1)
STRINGS = st.sampled_from(
    [
        r"a;b",
        r"-- no",
        r"/* nor */",
        r"# nor",
        r"it\'s",
        r"@date",
        r"`x`",
        r"é",
        r"(",
        r"WITH",
        r"",
        r"a\nb",
    ]
)
NAMES = st.one_of(
    st.sampled_from(
        ["select", "from", "order", "a b", "Grüße", "1st", "x;y", "x--y", "x-y", "@x", "group"]
    ),
    st.text(st.characters(codec="ascii", categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=6),
).filter(lambda name: name.lower() not in {"id", "day", "label"})
REMARKS = st.sampled_from(
    ["", " -- a remark; it's one\n", " /* ; -- */ ", "\n# @start ' ` \n", "\n\n\t"]
)
ENDS = st.sampled_from(["", ";", " ; ;\n", "\n-- the end", ";\n-- the end;", "; /* ; */"])


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> LocalWarehouse:
    folder = tmp_path_factory.mktemp("house")
    rows = "\n".join(f"{n},2024-0{1 + n % 4}-01" for n in range(8))
    (folder / "visits.csv").write_text(f"id,day\n{rows}\n")
    return LocalWarehouse(str(folder / "w.duckdb"), {"visits": str(folder / "visits.csv")})


@st.composite
def queries(draw: st.DrawFn, cut: str, columns: list[tuple[str, str]], *, where: str) -> str:
    """One of the many ways to write a query of `columns` (name, string)."""
    remarks = [draw(REMARKS) for _ in range(4)]
    end = draw(ENDS)
    selected = "".join(
        f", {remark} '{text}' AS `{name}`"
        for (name, text), remark in zip(columns, remarks * 9, strict=False)
    )
    source = "visits"
    begin = remarks[0]
    if draw(st.booleans()):
        begin += f"WITH {remarks[1]} early AS (SELECT * FROM visits WHERE day < {cut})"
        source = "early"
    text = f"{begin} SELECT id{remarks[2]}{selected}{remarks[3]}\nFROM {source}"
    text += f"{remarks[1]}\nWHERE {where} day < {cut} GROUP BY id{remarks[2]}{end}"
    if draw(st.booleans()) and not end.startswith((";", " ;")):
        text = f"({text}\n)"
    return text


def meaning(text: str) -> str:
    """The value of a string that stands between quotes in BigQuery."""
    return text.replace(r"\'", "'").replace(r"\n", "\n")


@st.composite
def columns(draw: st.DrawFn) -> list[tuple[str, str]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower))
    return [(name, draw(STRINGS)) for name in names]


@how(max_examples=min(60, how().max_examples))
@given(st.data(), columns())
def test_a_composed_query_returns_what_the_two_return(house, tmp_path, data, columns):
    features = data.draw(queries("@date", columns, where=""))
    labels = data.draw(queries("@stop", [("label", "it;s")], where="day >= @start OR"))
    composed = compose_training(features, labels, ["id"], DAY, DAY + datetime.timedelta(days=31))
    extraction = house.extract(composed.text, composed.parameters, ["id"], str(tmp_path / "data"))
    found = pq.read_table(*extraction.files)
    assert found.column_names == ["id", *(name for name, _ in columns), "label"]
    assert found["id"].to_pylist() == [0, 1, 4, 5]
    for name, text in columns:
        assert set(found[name].to_pylist()) == {meaning(text)}
    alone = compose_application(features, DAY)
    extraction = house.extract(alone.text, alone.parameters, ["id"], str(tmp_path / "more"))
    assert pq.read_table(*extraction.files).equals(found.drop_columns(["label"]))


@given(st.text(st.characters(codec="utf-8")) | st.lists(STRINGS | REMARKS | ENDS).map("".join))
def test_a_text_that_is_no_query_is_refused_in_one_line(text):
    with pytest.raises(QueryError) as refusal:
        compose_application(text, DAY)
    assert "\n" not in str(refusal.value)


@given(st.data(), st.data())
def test_a_query_with_a_slip_is_composed_or_refused_in_one_line(house, data, more):
    """What can still be composed runs, or is refused by the warehouse in one line."""
    query = data.draw(queries("@date", [("a", "x;y"), ("b", "--")], where=""))
    at = more.draw(st.integers(0, len(query)))
    length = more.draw(st.integers(0, 3))
    slip = more.draw(st.sampled_from(["", "'", ";", "`", "(", "--", "/*", "@", ",", "SELECT "]))
    try:
        composed = compose_application(query[:at] + slip + query[at + length :], DAY)
    except QueryError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(composed.text, str)
