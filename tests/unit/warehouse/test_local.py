"""What only the local warehouse does: CSV files as tables, one DuckDB file for many processes."""

import contextlib
import datetime
import gzip
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import warehouse
from pipeline.errors import DataError, QueryError, SettingsError, StorageError, WarehouseBusyError
from pipeline.warehouse import Batch
from pipeline.warehouse.local import LocalWarehouse

DAY = datetime.date(1998, 4, 1)

# What a file of predictions is to the warehouse.
BATCH = """
import datetime, sys, pyarrow.parquet as pq
from pipeline import warehouse
from pipeline.warehouse import Batch

def batch(file, date=datetime.date(1998, 4, 1)):
    columns = {column.name: str(column.type) for column in pq.read_schema(file)}
    return Batch(date, [file], columns, key=["id"], attempt="/attempt")
"""

# Loads one date after the other, each from a file of its own, as soon as a line comes.
LOADER = f"""{BATCH}
url, *files = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for file in files:
    date = datetime.date.fromisoformat(file.rpartition("/")[2].removesuffix(".parquet"))
    print(warehouse.open(url).load(batch(file, date), "p").rows, flush=True)
"""

# Loads the same date for ever, so that a kill comes somewhere in the middle.
RELOADER = f"""{BATCH}
import itertools
url, *files = sys.argv[1:]
for file in itertools.cycle(files):
    warehouse.open(url).load(batch(file), "p")
    print("loaded", flush=True)
"""

# Prints the days of the moments in t.parquet.
DAYS = """
import sys, pyarrow.parquet as pq
from pipeline import warehouse
house = warehouse.open("/nowhere.duckdb", {"t": f"{sys.argv[1]}/t.parquet"})
query = "SELECT DATE(at) AS day FROM t WHERE at < TIMESTAMP(DATE '1998-04-02')"
print(*pq.read_table(*house.extract(query, {}, ["day"], sys.argv[1]).files)["day"].to_pylist())
"""

# Opens the file as a person's shell does, knowing nothing of the lock file.
SHELL = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


def write(path: Path, date: datetime.date = DAY, ids: range = range(3), chance: float = 0.5) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    dates = pa.array([date] * len(ids), pa.date32())
    pq.write_table(pa.table({"id": list(ids), "chance": [chance] * len(ids), "date": dates}), path)
    return str(path)


def batch(file: str) -> Batch:
    columns = {column.name: str(column.type) for column in pq.read_schema(file)}
    return Batch(DAY, [file], columns, key=["id"], attempt="/attempt")


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a script in a process of its own, which ends with the test."""
    with contextlib.ExitStack() as stack:

        def run(
            script: str, *arguments: str, environment: dict[str, str] | None = None
        ) -> subprocess.Popen[str]:
            command = [sys.executable, "-c", script, *arguments]
            process = stack.enter_context(
                subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=environment)
            )
            stack.callback(process.kill)
            return process

        yield run


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "house" / "warehouse.duckdb")


def extract(tmp_path, query, url="/nowhere.duckdb", key=("id",), **tables):
    house = warehouse.open(url, {name: str(path) for name, path in tables.items()})
    extraction = house.extract(query, {}, key, str(tmp_path / "out"))
    return pq.read_table(*extraction.files)


def test_a_csv_file_is_a_table_packed_or_not(tmp_path):
    text = "id,day,n,name\n1,1998-04-01,2.5,a\n2,1998-04-02,,b\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text.encode()))
    query = "SELECT a.id, a.day, b.n, b.name FROM a JOIN b USING (id)"
    result = extract(tmp_path, query, a=tmp_path / "a.csv", b=tmp_path / "b.csv.gz")
    assert result.to_pylist()[1] == {
        "id": 2,
        "day": datetime.date(1998, 4, 2),
        "n": None,
        "name": "b",
    }


def test_a_type_that_shows_only_far_down_in_a_csv_file_is_found(tmp_path):
    lines = ["id,n", *(f"{n},{n}" for n in range(30_000)), "30000,0.5"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert extract(tmp_path, "SELECT * FROM a", a=tmp_path / "a.csv")["n"][30_000].as_py() == 0.5


def test_a_table_may_be_many_files_and_a_folder_may_be_a_column(tmp_path):
    for day in (1, 2):
        folder = tmp_path / f"day={day}"
        folder.mkdir()
        pq.write_table(pa.table({"id": [day * 10]}), folder / "a.parquet")
    result = extract(tmp_path, "SELECT id, day FROM a", a=tmp_path / "day=*" / "*.parquet")
    assert result.to_pydict() == {"id": [10, 20], "day": [1, 2]}


def test_a_large_result_has_several_files_with_the_rows_in_order(tmp_path):
    query = "SELECT id FROM UNNEST(GENERATE_ARRAY(1, 2100000)) AS id"
    house = warehouse.open("/nowhere.duckdb")
    extraction = house.extract(query, {}, ["id"], str(tmp_path))
    assert [Path(url).name for url in extraction.files] == ["part-0.parquet", "part-1.parquet"]
    ids = np.concatenate([pq.read_table(url)["id"].to_numpy() for url in extraction.files])
    assert np.array_equal(ids, np.arange(1, 2_100_001))


def test_names_of_tables_may_be_written_large_or_small(tmp_path):
    (tmp_path / "a.csv").write_text("id\n1\n")
    for query in ("SELECT ORDERS.id FROM `Shop.ORDERS`", "SELECT id FROM shop.Orders"):
        assert extract(tmp_path, query, **{"Shop.orders": tmp_path / "a.csv"}).num_rows == 1


def test_times_of_nanoseconds_are_loaded_as_microseconds(url, tmp_path):
    path = tmp_path / "a.parquet"
    dates = pa.array([DAY], pa.date32())
    pq.write_table(pa.table({"at": pa.array([1001], pa.timestamp("ns")), "date": dates}), path)
    house = warehouse.open(url)
    house.load(batch(str(path)), "p")
    assert house.read("p", DAY)["at"].to_pylist() == [datetime.datetime(1970, 1, 1, 0, 0, 0, 1)]


def test_a_csv_file_is_taken_literally(tmp_path):
    (tmp_path / "a.csv").write_text('id,day,text\n001,1/2/1998,"a, ""b"""\n002,13/1/1998,#\n')
    assert extract(tmp_path, "SELECT * FROM a", a=tmp_path / "a.csv").to_pylist() == [
        {"id": "001", "day": "1/2/1998", "text": 'a, "b"'},
        {"id": "002", "day": "13/1/1998", "text": "#"},
    ]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("gone.csv", r"The table t can't be read from .*gone\.csv: No files found"),
        ("no*.parquet", r"The table t can't be read from .*no\*\.parquet: No files found"),
        ("broken.parquet", r"The table t can't be read from .*broken\.parquet: .*Correct the file"),
        ("broken.csv.gz", r"The table t can't be read from .*broken\.csv\.gz: "),
        ("ragged.csv", r"The table t can't be read from .*ragged\.csv: "),
        ("table.xlsx", r"table\.xlsx ends in none of \.parquet, \.csv, \.csv\.gz"),
    ],
)
def test_a_table_that_can_not_be_read_is_told_in_one_line(tmp_path, file, message):
    (tmp_path / "broken.parquet").write_text("no parquet, though it is long enough for one")
    (tmp_path / "broken.csv.gz").write_text("not packed")
    (tmp_path / "ragged.csv").write_text("id,n\n1,2\n3,4,5,6\n")
    with pytest.raises(DataError, match=message) as refusal:
        extract(tmp_path, "SELECT * FROM t", t=tmp_path / file)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM a", r"table a, of which .* no file \(it has: t\)\. Name its file under \["),
        ("SELECT * FROM `t_*`", r"table t_\*, of which"),
        ("SELECT FARM_FINGERPRINT('a') AS id", r"has no function FARM_FINGERPRINT, which the quer"),
        ("SELECT ARRAY_AGG(id LIMIT 1) AS id FROM t", r"can't run the query: LIMIT inside ARRAY_A"),
        ("SELECT INTERVAL 1 DAY AS gap, 1 AS id", r"gap as an INTERVAL, which Parquet has no type"),
        ("SELECT 9223372036854775807 + id AS id FROM t", r"can't be run: Overflow"),
    ],
)
def test_what_only_bigquery_can_do_is_told_in_one_line(tmp_path, query, message):
    (tmp_path / "t.csv").write_text("id\n1\n")
    with pytest.raises(QueryError, match=message) as refusal:
        extract(tmp_path, query, t=tmp_path / "t.csv")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("zone", ["Europe/Stockholm", "America/Los_Angeles"])
def test_a_day_is_a_day_in_utc_wherever_the_machine_stands(start, tmp_path, zone):
    moments = [datetime.datetime(1998, 3, 31, 23, 30), datetime.datetime(1998, 4, 1, 0, 30)]
    table = pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC"))})
    pq.write_table(table, tmp_path / "t.parquet")
    process = start(DAYS, str(tmp_path), environment={**os.environ, "TZ": zone})
    assert process.communicate()[0] == "1998-03-31 1998-04-01\n"


def test_a_url_that_is_no_duckdb_file_is_refused():
    with pytest.raises(SettingsError, match=r"no warehouse mysql://x.*\.duckdb"):
        warehouse.open("mysql://x")


def test_importing_the_interface_loads_no_heavy_library(start):
    script = (
        "import sys, pipeline.warehouse, pipeline.queries;"
        "print(*{'duckdb', 'sqlglot', 'pyarrow'} & sys.modules.keys())"
    )
    assert start(script).communicate()[0] == "\n"


@pytest.mark.slow
def test_eight_processes_that_load_at_once_lose_nothing(start, url, tmp_path):
    days = [DAY + datetime.timedelta(days=n) for n in range(16)]
    files = [write(tmp_path / f"{day}.parquet", day, range(100)) for day in days]
    loaders = [start(LOADER, url, *files[n::8]) for n in range(8)]
    assert {says(each) for each in loaders} == {"ready"}
    for each in loaders:
        go_on(each)
    outcomes = [each.communicate(timeout=60)[0].split() for each in loaders]
    assert outcomes == [["100"] * 2] * 8
    house = warehouse.open(url)
    assert [house.read("p", day).num_rows for day in days] == [100] * 16


@pytest.mark.slow
def test_a_load_killed_at_any_moment_leaves_a_whole_partition(start, url, tmp_path):
    files = [
        write(tmp_path / f"{n}" / "a.parquet", DAY, range(n * 100_000, (n + 2) * 100_000), n)
        for n in (1, 2)
    ]
    house = warehouse.open(url)
    house.load(batch(files[0]), "p")
    for pause in (0.0, 0.02, 0.05, 0.09):
        process = start(RELOADER, url, *files)
        assert says(process) == "loaded"
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = house.read("p", DAY, order=["id"])
        assert found.num_rows == 200_000
        assert found["id"][0].as_py() == found["chance"][0].as_py() * 100_000
    assert house.load(batch(files[1]), "p").rows == 200_000


def test_who_keeps_the_warehouse_locked_is_named_when_the_wait_is_over(start, url, tmp_path):
    file = write(tmp_path / "a.parquet")
    warehouse.open(url).load(batch(file), "p")
    shell = start(SHELL, url)
    assert says(shell) == "open"
    house = LocalWarehouse(url, {}, wait_seconds=0.1)
    named = rf"{re.escape(url)} was in use by process {shell.pid} \(.*python.* for 0\.1 s"
    with pytest.raises(WarehouseBusyError, match=named):
        house.load(batch(file), "p")
    shell.communicate("\n")
    assert house.load(batch(file), "p").rows == 3


def test_a_load_waits_for_a_shell_to_close_the_file(start, url, tmp_path):
    file = write(tmp_path / "a.parquet")
    house = warehouse.open(url)
    house.load(batch(file), "p")
    shell = start(SHELL, url)
    assert says(shell) == "open"
    closing = threading.Timer(0.2, shell.communicate, ["\n"])
    closing.start()
    assert house.load(batch(file), "p").rows == 3
    closing.join()


def test_another_load_that_takes_too_long_is_named(start, url, tmp_path):
    file = write(tmp_path / "a.parquet")
    warehouse.open(url).load(batch(file), "p")
    shell = start(SHELL, url)
    assert says(shell) == "open"
    # The first load holds the lock file while it waits for the shell.
    first = start(LOADER, url, write(tmp_path / f"{DAY}.parquet"))
    assert says(first) == "ready"
    go_on(first)
    note = Path(f"{url}.lock")
    while str(first.pid) not in note.read_text():
        time.sleep(0.02)
    with pytest.raises(WarehouseBusyError, match=rf"process {first.pid} \(.*python.* -c .*\) for"):
        LocalWarehouse(url, {}, wait_seconds=0.1).load(batch(file), "p")
    shell.communicate("\n")
    assert first.communicate(timeout=30)[0].split() == ["3"]


def test_a_person_can_open_the_file_between_two_loads(url, tmp_path):
    warehouse.open(url).load(batch(write(tmp_path / "a.parquet")), "p")
    with duckdb.connect(url, read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM p").fetchall() == [(3,)]


def test_a_look_at_a_warehouse_that_is_not_there_does_not_make_it(url):
    with pytest.raises(Exception, match="no table p"):
        warehouse.open(url).read("p", DAY)
    assert not Path(url).exists()


def test_a_file_that_is_no_warehouse_is_named(url, tmp_path):
    Path(url).parent.mkdir()
    Path(url).write_text("not a database " * 1000)
    with pytest.raises(DataError, match=rf"{re.escape(url)} can't be opened: .* not a valid"):
        warehouse.open(url).load(batch(write(tmp_path / "a.parquet")), "p")


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    house = warehouse.open(str(tmp_path / "file" / "warehouse.duckdb"))
    with pytest.raises(StorageError, match=r"lock file .*warehouse\.duckdb\.lock can't be written"):
        house.load(batch(write(tmp_path / "a.parquet")), "p")
