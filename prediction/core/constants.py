"""Columns that have one value in every row of the predictions, such as the date they are for.

A value is JSON's own text, number or truth, or {"type": ..., "value": ...} for what JSON has no
form for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from prediction.core import values


@dataclass(frozen=True)
class Constant:
    """A value and the name of its type: a key of `TYPES`."""

    type: str
    value: Any


def _timestamp(value: Any) -> datetime:
    """A moment; without a zone it is in UTC."""
    moment = datetime.fromisoformat(values.text(value))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(value: Any) -> date:
    return date.fromisoformat(values.text(value))


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError("it must be a whole number of 64 bits")
    return value


TYPES: dict[str, Callable[[Any], Any]] = {
    "bool": values.boolean,
    "date": _date,
    "double": values.number,
    "int64": _whole,
    "string": values.any_text,
    "timestamp": _timestamp,
}

PLAIN = {str: "string", bool: "bool", int: "int64", float: "double"}


def constants(value: Any) -> dict[str, Constant]:
    """Read the config's `constants`: names of columns and their values.

    Raises `ValueError` with the name of the constant.
    """
    return {name: _constant(name, item) for name, item in values.mapping(value).items()}


def _constant(name: str, item: Any) -> Constant:
    if not isinstance(item, dict):
        item = {"type": PLAIN.get(type(item)), "value": item}
    if set(item) != {"type", "value"} or item["type"] not in TYPES:
        known = ", ".join(TYPES)
        raise ValueError(
            f"{name!r} must be a text, a number, true, false, or an object with `type` (one of "
            f"{known}) and `value`"
        )
    try:
        return Constant(item["type"], TYPES[item["type"]](item["value"]))
    except ValueError as error:
        raise ValueError(f"{name!r} is no {item['type']}: {error}") from error
