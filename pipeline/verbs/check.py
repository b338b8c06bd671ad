"""`check`: prove on the warehouse itself that the queries see nothing of a date's future.

Each query is run as it is, and once with every table cut at the date. A row that differs was made
with what nobody knew then. What is proven is this query on these rows: the more later rows a table
has, the more it says.
"""

import datetime
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline import opening, settings, storage
from pipeline.dates import days_before
from pipeline.model_package import Recipe
from pipeline.queries import FEATURES, LABELS
from pipeline.queries.cutting import count_later, cut, find_sources, refuse_moods
from pipeline.times import today
from pipeline.verbs.comparing import Difference, find_differences
from pipeline.warehouse import Extraction

_FAILED = 1


@dataclass(frozen=True)
class Subject:
    """A query of the model package; what came about from the day `limit` on it may not see."""

    name: str
    text: str
    parameters: Mapping[str, datetime.date]
    limit: str

    @property
    def day(self) -> datetime.date:
        return self.parameters[self.limit]


@dataclass
class Asking:
    """Questions to the warehouse, whose answers lie in `folder` until the end."""

    folder: str
    key: Sequence[str]
    asked: list[str] = field(default_factory=list)

    def ask(self, text: str, subject: Subject, key: Sequence[str] = ()) -> Extraction:
        self.asked.append(text)
        folder = f"{self.folder}/{len(self.asked)}"
        house = opening.open_warehouse()
        return house.extract(text, subject.parameters, key or self.key, folder)


def check(date: datetime.date | None) -> int:
    """Print what is proven of the two queries. Returns 1 when something is not, else 0.

    The labels are those of the horizon up to `date` (today), the features those before it.
    """
    chosen = settings.pipeline()
    recipe = Recipe.of_package(chosen.prediction)
    stop = date or today()
    start = days_before(stop, chosen.horizon_days)
    subjects = [Subject(FEATURES, recipe.features, {"date": start}, "date")]
    if recipe.labels is not None:
        days = {"start": start, "stop": stop}
        subjects.append(Subject(LABELS, recipe.labels, days, "stop"))
    with _asking(recipe.key) as asking:
        proven = [_check(each, asking) for each in subjects]
    return 0 if all(proven) else _FAILED


@contextmanager
def _asking(key: Sequence[str]) -> Iterator[Asking]:
    folder = f"{opening.current_layout().root}/check/{secrets.token_hex(5)}"
    try:
        yield Asking(folder, key)
    finally:
        store = storage.open(folder)
        for entry in list(store.list(folder)):
            store.delete(entry.url)


def _check(subject: Subject, asking: Asking) -> bool:
    """Whether a query is proven to be honest; prints what is known."""
    refuse_moods(subject.name, subject.text)
    known = settings.sources()
    sources = find_sources(subject.text)
    for name in sources:
        if name not in known:
            print(
                f"{subject.name}: {name} cannot be proven, as [sources] in luigi.cfg names no"
                " column of it that says when a row came about. Keep snapshots of it, and read"
                " that of the date."
            )
    dated = {name: known[name] for name in sources if name in known}
    later = sum(_count_later(subject, name, column, asking) for name, column in dated.items())
    if not dated or not later:
        _tell_nothing(subject, dated)
        return not dated
    plain = asking.ask(subject.text, subject)
    blind = asking.ask(cut(subject.text, dated, subject.limit), subject)
    leaks = list(find_differences(plain, blind, asking.key))
    _tell(subject, leaks, later)
    return not leaks


def _count_later(subject: Subject, name: str, column: str, asking: Asking) -> int:
    answer = asking.ask(count_later(name, column, subject.limit), subject, ("k",))
    return answer.rows - 1


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
    which = f"{leak.rows:,} rows differ" if leak.rows > 1 else "one row differs"
    what = f"error: {subject.name} sees what came about on {subject.day} or later: {leak.key}"
    if leak.column is None:
        there = "is there" if leak.values[0] else "is missing"
        return f"{what} {there} because of it ({which})."
    seen, blind = leak.values
    return f"{what} has {leak.column} = {seen}, and {blind} without it ({which})."
