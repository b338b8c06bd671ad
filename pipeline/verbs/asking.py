"""What `check` asks the warehouse: told what it costs before, asked once, deleted at the end."""

import datetime
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from pipeline import opening, storage
from pipeline.errors import QueryError
from pipeline.warehouse import Extraction


@dataclass(frozen=True)
class Question:
    """A query, the values of its parameters, and the key of what it returns.

    `name` is what a person knows it by, the file that it comes from.
    """

    name: str
    text: str
    values: tuple[tuple[str, datetime.date], ...]
    key: tuple[str, ...]

    @classmethod
    def of(
        cls, name: str, text: str, values: Mapping[str, datetime.date], key: Sequence[str]
    ) -> Self:
        return cls(name, text, tuple(values.items()), tuple(key))


@dataclass
class Asking:
    """Questions to the warehouse, whose answers lie in `folder` until the end."""

    folder: str
    answers: dict[Question, Extraction] = field(default_factory=dict)

    def ask(self, question: Question) -> Extraction:
        """The answer, which is made once. Raises `QueryError` that names the question."""
        if question not in self.answers:
            folder = f"{self.folder}/{len(self.answers) + 1}"
            house = opening.open_warehouse()
            with naming(question):
                answer = house.extract(question.text, dict(question.values), question.key, folder)
            self.answers[question] = answer
        return self.answers[question]


@contextmanager
def asking() -> Iterator[Asking]:
    """Ask, and delete all answers."""
    folder = f"{opening.current_layout().root}/check/{secrets.token_hex(5)}"
    try:
        yield Asking(folder)
    finally:
        store = storage.open(folder)
        for entry in list(store.list(folder)):
            store.delete(entry.url)


def estimate(questions: Iterable[Question]) -> dict[str, list[int]]:
    """Bytes that each question will read, by name: nothing where reading is free.

    Raises `QueryError` when one would be refused, before any is asked.
    """
    house, found = opening.open_warehouse(), dict[str, list[int]]()
    for question in dict.fromkeys(questions):
        with naming(question):
            size = house.estimate(question.text, dict(question.values))
        if size is not None:
            found.setdefault(question.name, []).append(size)
    return found


@contextmanager
def naming(question: Question) -> Iterator[None]:
    try:
        yield
    except QueryError as error:
        raise QueryError(f"{question.name}: {error}") from error
