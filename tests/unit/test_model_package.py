"""What is read of the model package, and what is refused."""

from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.model_package import Recipe


@pytest.fixture
def package(tmp_path) -> Path:
    for folder in ("configs", "queries"):
        (tmp_path / folder).mkdir()
    (tmp_path / "configs" / "training.json").write_text('{"key": ["id", "shop"]}')
    (tmp_path / "queries" / "features.sql").write_text("SELECT 'é'")
    (tmp_path / "queries" / "labels.sql").write_text("SELECT 2")
    return tmp_path


def test_a_recipe_has_the_queries_and_the_key(package):
    recipe = Recipe.of_package(package)
    assert recipe.key == ("id", "shop")
    assert recipe.texts() == {"features.sql": "SELECT 'é'", "labels.sql": "SELECT 2"}


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("configs/training.json", b"{", "training.json is not JSON: Expecting property name"),
        ("configs/training.json", b"[]", 'training.json has no "key"'),
        ("configs/training.json", b'{"key": 7}', '"key" is 7. It must be the name of a column'),
        ("configs/training.json", b'{"key": [7]}', '"key" is [7]. It must be the name of'),
        ("configs/training.json", b'{"key": "\xfc"}', "training.json is not UTF-8: "),
        ("queries/labels.sql", b"SELECT '\xfc'", "labels.sql is not UTF-8: "),
    ],
)
def test_what_can_not_be_read_is_told_with_the_files_name(package, file, content, words):
    (package / file).write_bytes(content)
    with pytest.raises(DataError) as refusal:
        Recipe.of_package(package)
    assert f"{package}/" in str(refusal.value)
    assert words in str(refusal.value)


def test_a_query_that_is_a_folder_is_told(package):
    (package / "queries" / "labels.sql").unlink()
    (package / "queries" / "labels.sql").mkdir()
    with pytest.raises(DataError, match=r"labels\.sql can't be read: Is a directory"):
        Recipe.of_package(package)


def test_what_labels_may_have_besides_the_key_is_told_by_the_config_of_a_framework_package(package):
    assert Recipe.of_package(package).beside_key is None
    (package / "core").mkdir()
    (package / "configs" / "training.json").write_text(
        '{"key": "id", "label": "gone", "date_column": "day", "ignore": ["note"]}'
    )
    assert Recipe.of_package(package).beside_key == {"gone", "day", "note"}
