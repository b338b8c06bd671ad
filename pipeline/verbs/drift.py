"""`drift`: a page with charts of how far the data went from those of the trainings."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pipeline import charts, drifts, opening
from pipeline.drifts import Column, Drift
from pipeline.errors import DataError, StorageError
from pipeline.verbs.runs import find_dates

_LAST_DATES = 90
_LINES = 6  # more of them nobody can tell apart
_NAMED = 3
_FILE = "var/drift.html"

Line = dict[datetime.date, float | None]


def drift(start: str | None, stop: str | None, last: int | None, to: str | None) -> None:
    """Write the page, and print where it is and which features are the worst.

    Raises `DataError` when there is nothing to show.
    """
    told = _read(start, stop, last)
    path = Path(to or _FILE)
    name = opening.current_layout().name
    title = f"{name}: drift from {told[0].date} to {told[-1].date}"
    page = charts.page(title, _charts(told), _note(told))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path} can't be written: {error.strerror}. Correct --to.") from None
    many = "s" if len(told) > 1 else ""
    print(f"{path}: {len(told)} date{many} from {told[0].date} to {told[-1].date}")
    for column, date in _worst(told)[:_NAMED]:
        print(f"  {column.title:<24} psi {column.psi:.3g} on {date}")


def _read(start: str | None, stop: str | None, last: int | None) -> list[Drift]:
    unsaid = start is None and stop is None and last is None
    dates = None if unsaid else set(find_dates(start, stop, last))
    told = drifts.read(opening.current_layout(), dates, _LAST_DATES)
    told = [each for each in told if each.columns]
    if not told:
        raise DataError(
            "There is nothing to show: no date that was applied has a drift.json, or its model"
            " keeps no reference. Train the model anew, apply it, or choose other dates."
        )
    return told


def _charts(told: Sequence[Drift]) -> dict[str, str]:
    """Heading -> SVG."""
    found = {}
    worst = [column.name for column, _ in _worst(told) if not column.is_score]
    if worst:
        found["Features: population stability index"] = charts.over_dates(
            {name: _line(told, name, lambda column: column.psi) for name in worst[:_LINES]},
            _limits(told),
        )
    for name in dict.fromkeys(each.name for one in told for each in one.columns if each.is_score):
        line = _line(told, name, lambda column: column.psi, is_score=True)
        found[f"Score {name}: population stability index"] = charts.over_dates(
            {name: line}, _limits(told)
        )
    missing = _with_nulls(told)
    if missing:
        found["Features: share of nulls"] = charts.over_dates(
            {name: _line(told, name, lambda column: column.missing_share) for name in missing}
        )
    for column in [each for each in _by_psi(told[-1].columns) if each.bins][:_NAMED]:
        names, trained, now = zip(*column.bins, strict=True)
        found[f"How {column.title} lies on {told[-1].date}"] = charts.side_by_side(
            names, {"at training": trained, f"on {told[-1].date}": now}
        )
    return found


def _note(told: Sequence[Drift]) -> str:
    features = {each.name for one in told for each in one.columns if not each.is_score}
    more = len(features) - _LINES
    left_out = f" Of {len(features)} features the worst {_LINES} are shown." if more > 0 else ""
    return (
        "How far the data of each date are from the training data of the model in force: 0 is the"
        f" same, 0.1 a small change, 0.25 a large one.{left_out}"
    )


def _worst(told: Iterable[Drift]) -> list[tuple[Column, datetime.date]]:
    """Each column on its worst date, the worst first."""
    found: dict[tuple[str, bool], tuple[Column, datetime.date]] = {}
    for one in told:
        for column in one.columns:
            known = found.get((column.name, column.is_score))
            if known is None or column.psi > known[0].psi:
                found[column.name, column.is_score] = (column, one.date)
    return sorted(found.values(), key=lambda pair: -pair[0].psi)


def _by_psi(columns: Iterable[Column]) -> list[Column]:
    return sorted(columns, key=lambda column: -column.psi)


def _with_nulls(told: Sequence[Drift]) -> list[str]:
    """The features whose share of nulls changed most, of those that have nulls."""
    changes: dict[str, float] = {}
    for column in (each for one in told for each in one.columns if not each.is_score):
        if column.missing_share or column.missing_share_training:
            change = abs(column.missing_share - column.missing_share_training)
            changes[column.name] = max(change, changes.get(column.name, 0))
    return sorted(changes, key=lambda name: -changes[name])[:_LINES]


def _line(
    told: Iterable[Drift], name: str, value: Callable[[Column], float], *, is_score: bool = False
) -> Line:
    """The value of one column on each date; None where it was not there."""
    line: Line = {}
    for one in told:
        found = [c for c in one.columns if c.name == name and c.is_score == is_score]
        line[one.date] = value(found[0]) if found else None
    return line


def _limits(told: Sequence[Drift]) -> Mapping[str, float]:
    """Those of the index on the last date, by the name of their key."""
    limits = {name: told[-1].limits.get(name) for name in ("drift_warn", "drift_stop")}
    return {name: limit for name, limit in limits.items() if limit is not None}
