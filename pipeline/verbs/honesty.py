"""Whether a query sees the future: its rows beside those that it returns when it can't.

It is run as it is, and once with every table cut at the date. A row that differs was made with what
nobody knew then. What is proven is this query on these rows: the more later rows a table has, the
more it says.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline import settings
from pipeline.queries.cutting import count_later, cut, find_sources
from pipeline.verbs.asking import Asking, Question
from pipeline.verbs.column_types import tell_changes
from pipeline.verbs.comparing import Difference, find_differences


@dataclass(frozen=True)
class Subject:
    """A query of the model package; what came about from the day `limit` on it may not see."""

    name: str
    text: str
    values: Mapping[str, datetime.date]
    limit: str
    key: Sequence[str]

    @property
    def day(self) -> datetime.date:
        return self.values[self.limit]

    @cached_property
    def dated(self) -> dict[str, str]:
        """The tables that it reads and can be cut, each with its column of time."""
        known = settings.sources()
        return {name: known[name] for name in find_sources(self.text) if name in known}

    @property
    def plain(self) -> Question:
        return self._question(self.text)

    @property
    def blind(self) -> Question:
        return self._question(cut(self.text, self.dated, self.limit))

    @property
    def later(self) -> list[Question]:
        """For each dated table, the days from which it has rows that may not be seen."""
        texts = [count_later(name, column, self.limit) for name, column in self.dated.items()]
        return [self._question(text, ("k",)) for text in texts]

    def questions(self) -> list[Question]:
        return [self.plain, *([self.blind, *self.later] if self.dated else [])]

    def _question(self, text: str, key: Sequence[str] = ()) -> Question:
        return Question.of(self.name, text, self.values, key or self.key)


def prove(subject: Subject, warehouse: Asking) -> bool:
    """Whether a query is proven to be honest; prints what is known."""
    dated = subject.dated
    for name in find_sources(subject.text):
        if name not in dated:
            print(
                f"{subject.name}: {name} cannot be proven, as [sources] in luigi.cfg names no"
                " column of it that says when a row came about. Keep snapshots of it, and read"
                " that of the date."
            )
    later = sum(warehouse.ask(each).rows - 1 for each in subject.later)
    if not dated or not later:
        _tell_nothing(subject, dated)
        return not dated
    plain, blind = warehouse.ask(subject.plain), warehouse.ask(subject.blind)
    asked = f"{subject.name} as of {subject.day}"
    if tell_changes(asked, plain, blind, "with every table cut at it"):
        return False
    leaks = list(find_differences(plain, blind, subject.key))
    _tell(subject, leaks, later)
    return not leaks


def _tell_nothing(subject: Subject, dated: Mapping[str, str]) -> None:
    if dated:
        print(
            f"{subject.name}: nothing is proven, as {', '.join(dated)} has no row of"
            f" {subject.day} or later. Say an earlier date: --date."
        )


def _tell(subject: Subject, leaks: Sequence[Difference], later: int) -> None:
    if not leaks:
        days = "a day" if later == 1 else f"{later:,} days"
        print(
            f"{subject.name} is honest: what came about on {subject.day} or later, on {days},"
            " changes nothing."
        )
    for leak in leaks:
        print(_describe(subject, leak))


def _describe(subject: Subject, leak: Difference) -> str:
    what = f"error: {subject.name} sees what came about on {subject.day} or later: {leak.key}"
    if leak.column is None:
        there = "is there" if leak.values[0] else "is missing"
        return f"{what} {there} because of it ({leak.count})."
    seen, blind = leak.values
    return f"{what} has {leak.column} = {seen}, and {blind} without it ({leak.count})."
