"""Filters of lists: cloud.google.com/compute/docs/reference/rest/v1/instances/list, as far as
one may need them: equality of fields and labels, joined by AND."""

import re
from typing import Any

from tests.cloud.compute_engine.replies import JSON, RefusedError

_TERM = re.compile(r'\(?\s*([A-Za-z.\-_]+)\s*(=|!=|eq|ne)\s*"?([^"()]*?)"?\s*\)?')


def matches(resource: JSON, text: str) -> bool:
    """Whether a filter lets a resource through. Raises `RefusedError` for one of another form."""
    return all(_holds(resource, term) for term in re.split(r"\s+AND\s+", text.strip()) if term)


def _holds(resource: JSON, term: str) -> bool:
    matched = _TERM.fullmatch(term)
    if not matched:
        raise RefusedError(400, "invalid", f"Invalid value for field 'filter': '{term}'.")
    field, sign, value = matched.groups()
    found: Any = resource
    for part in field.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return (str(found) == value) == (sign in ("=", "eq"))
