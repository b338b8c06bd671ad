import gzip

import pytest

from prediction.tests.bench import Bench


@pytest.fixture
def trained(bench: Bench) -> Bench:
    assert bench.train() == 0
    return bench


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"PAR1 and nothing more PAR1", "a.parquet cannot be read: "),
        ("a.csv", b"", "a.csv is empty. A CSV file begins with the names of columns"),
        ("a.csv", b"id;x\n1;0.5\n", "it seems to be separated by ';'. Write it with commas"),
        (
            "a.csv",
            b"id,x\n1,0.5\n2\n",
            "a.csv cannot be read: CSV parse error: Expected 2 col",
        ),
        ("a.csv", b"id,x\n1,much\n", "column 'x' is not what it was at training: "),
        ("a.csv", b"id,x\none,0.5\n", "column 'id' is not what it was at training: "),
        ("a.csv", b"id,x,x\n1,0.5,1\n", "a.csv has column 'x' twice. Rename one of them"),
        ("a.csv", b"id,x\n", "a.csv has no rows"),
        ("a.csv.gz", b"id,x\n1,0.5\n", "a.csv.gz cannot be read: Not a gzipped file"),
        ("a.txt", b"id,x\n1,0.5\n", "a.txt is neither .parquet, .csv nor .csv.gz"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    trained: Bench, name: str, content: bytes, words: str
) -> None:
    path = trained.folder / name
    path.write_bytes(content)
    assert trained.apply(path) == 1
    assert words in trained.error
    assert not trained.output.exists()


def test_a_compressed_file_that_was_cut_is_refused(trained: Bench) -> None:
    text = "id,x\n" + "".join(f"{number},{number * 0.37}\n" for number in range(50_000))
    path = trained.folder / "a.csv.gz"
    path.write_bytes(gzip.compress(text.encode())[:-2000])
    assert trained.apply(path) == 1
    assert (
        "a.csv.gz cannot be read: Truncated compressed stream. Make the file again" in trained.error
    )


def test_a_parquet_file_that_was_cut_is_refused(trained: Bench) -> None:
    whole = trained.write("whole.parquet", {"id": range(5000), "x": [0.5] * 5000}).read_bytes()
    path = trained.folder / "a.parquet"
    path.write_bytes(whole[: len(whole) // 2])
    assert trained.apply(path) == 1
    assert "a.parquet cannot be read: " in trained.error


def test_a_file_or_folder_that_is_not_there_is_named(trained: Bench) -> None:
    assert trained.apply(trained.folder / "none.parquet") == 1
    assert "none.parquet does not exist. Correct `data_path`" in trained.error
    (trained.folder / "empty").mkdir()
    assert trained.apply(trained.folder / "empty") == 1
    assert "empty holds no file" in trained.error


def test_files_of_training_that_do_not_go_together_are_refused(bench: Bench) -> None:
    bench.write("1.csv", {"id": [1], "x": [1], "y": [True]})
    bench.write("2.csv", {"id": [1], "z": [1], "y": [True]})
    bench.write("3.csv", {"id": [1], "x": ["much"], "y": [True]})
    first, second, third = (str(bench.folder / f"{number}.csv") for number in (1, 2, 3))
    assert bench.train(data_path=[first, second]) == 1
    assert "2.csv differ in columns: x, z" in bench.error
    assert bench.train(data_path=[first, third]) == 1
    assert "differ in types" in bench.error


def test_a_text_over_several_lines_is_one_value(trained: Bench) -> None:
    path = trained.folder / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfid,x,y\n1,0.5,"a\nb"\n2,0.5,c\n')
    assert trained.apply(path) == 0
    assert trained.predictions["id"].to_pylist() == [1, 2]
