"""Names of files that people give: spaces, signs, umlauts, whole lines."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given
from hypothesis import settings as how
from hypothesis import strategies as st

from pipeline import checksums, storage
from pipeline.errors import ObjectExistsError, SettingsError, StorageError
from pipeline.storage.local import LocalStorage
from pipeline.warehouse.local import LocalWarehouse

AWKWARD = ["a b", "100%", "%20", "#1", "?x=1", "*", "[ab]", "Grüße", "a\nb", "-rf", "$HOME", "~"]
NAMES = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60),
    st.text("ab %#?*[]{}~$\\'\";:=-.\n\tüß\u0301", min_size=1, max_size=20),
).filter(lambda name: name not in {".", ".."} and not name.startswith(".unfinished-"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("names")


@given(st.lists(NAMES, min_size=1, max_size=3), st.binary(max_size=100))
def test_an_object_of_any_name_is_written_read_listed_and_deleted(folder, names, content):
    root = str(folder / "storage")
    url = "/".join([root, *names])
    store: LocalStorage = storage.open(url)
    try:
        store.write(url, content)
    except StorageError as error:
        assert "File name too long" in str(error)
        return
    assert store.exists(url)
    assert store.read(url) == content
    assert [(each.url, each.size_bytes) for each in store.list(root)] == [(url, len(content))]
    assert store.stat(url).checksum == checksums.of_bytes(content)
    with pytest.raises(ObjectExistsError):
        store.write(url, b"other", create_only=True)
    store.download(url, folder / "copy")
    store.upload(folder / "copy", url)
    assert store.read(url) == content
    store.delete(url)
    assert list(store.list(root)) == []
    for path in sorted((folder / "storage").rglob("*"), reverse=True):
        path.rmdir()


@given(NAMES)
@example("x [1]")
@example("\n0\r;")
@example("a%(name)s")
@how(max_examples=min(40, how().max_examples))
def test_a_table_may_be_a_file_of_any_name(folder, configured, name):
    """What luigi.cfg can't express is refused in one line; all else is read."""
    path = folder / f"{name}.csv"
    assume(len(os.fsencode(path.name)) < 255)
    # DuckDB has no way to quote a backslash in a pattern.
    assume("\\" not in name or not set("*?[") & set(name))
    path.write_text("id,amount\n1,2.5\n")
    (folder / "decoy.csv").write_text("id\n7\n8\n")
    written = str(path).replace("%", "%%").replace("\n", "\n  ").replace("\r", "\r  ")
    try:
        with configured(f"[local_warehouse]\nsales = {written}\n") as settings:
            tables = settings.tables()
    except SettingsError as error:
        assert "\n" not in str(error)
        assert not ordinary(name)
        return
    finally:
        content = path.read_text()
        path.unlink()
    assume(tables["sales"] == str(path))
    path.write_text(content)
    house = LocalWarehouse(str(folder / "w.duckdb"), tables)
    extraction = house.extract("SELECT id, amount FROM sales", {}, ["id"], str(folder / "out"))
    path.unlink()
    assert pq.read_table(*extraction.files).to_pylist() == [{"id": 1, "amount": 2.5}]


def ordinary(name: str) -> bool:
    """Whether a line of luigi.cfg can hold it: no comment, no variable, no second line."""
    return name.isprintable() and not any(pair in name for pair in (" #", " ;", "${"))
