"""The user's two queries, made into the query of an action for a date. No warehouse, no files.

Features are as of `@date`, labels are about `[@start, @stop)`. The training data of T is
features(T - H) joined on the key with labels of [T - H, T); what the model is applied to on D is
features(D). Both come from the same features query, so training and application cannot differ.
The truth about D is labels of [D, D + H).

The dialect is BigQuery's, in and out. A composed query holds the user's text word for word.
"""

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import QueryError
from pipeline.queries.reading import Body, read

FEATURES = "features.sql"
LABELS = "labels.sql"
READY = "ready.sql"


@dataclass(frozen=True)
class Composed:
    """A query to be run, and the values of its parameters."""

    text: str
    parameters: Mapping[str, datetime.date]


def compose_training(
    features: str,
    labels: str,
    key: Sequence[str],
    start: datetime.date,
    stop: datetime.date,
    *,
    beside_key: Collection[str] | None = None,
) -> Composed:
    """The text `features` as of `start`, joined on `key` with the text `labels` of [start, stop).

    A key that only one of the two returns is left out. Columns: those of the features, then those
    of the labels without the key: of `beside_key` only, unless that is None. Raises `QueryError`.
    """
    left = read(FEATURES, features, parameters=("date",), required="date")
    right = read(LABELS, labels, parameters=("start", "stop"), required="stop")
    left.check_key(key)
    right.check_key(key)
    _refuse_clash(left, right, key)
    if beside_key is not None:
        _refuse_features(right, {*key, *beside_key})
    return Composed(
        _join(left, right, key, comment=f"features as of {start}, labels of [{start}, {stop})"),
        {"date": start, "start": start, "stop": stop},
    )


def compose_application(features: str, date: datetime.date) -> Composed:
    """The text `features` as of `date`. Raises `QueryError`."""
    return Composed(
        read(FEATURES, features, parameters=("date",), required="date").text, {"date": date}
    )


def compose_ready(text: str, date: datetime.date) -> Composed:
    """The query that tells whether the data before `date` are complete. Raises `QueryError`."""
    body = read(READY, text, parameters=("date",), required=None, named=False)
    return Composed(body.text, {"date": date})


def compose_evaluation(
    labels: str, key: Sequence[str], start: datetime.date, stop: datetime.date
) -> Composed:
    """The text `labels` of [start, stop). Raises `QueryError`."""
    body = read(LABELS, labels, parameters=("start", "stop"), required="stop")
    body.check_key(key)
    return Composed(body.text, {"start": start, "stop": stop})


def _join(left: Body, right: Body, key: Sequence[str], *, comment: str) -> str:
    # Subqueries rather than WITH: a name of ours can't hide a table of the user's.
    columns = ", ".join(f"`{name}`" for name in key)
    return f"""\
-- {comment}
SELECT
  features.*,
  labels.* EXCEPT ({columns})
FROM (
-- {left.name}
{left.text}
) AS features
INNER JOIN (
-- {right.name}
{right.text}
) AS labels
USING ({columns})
"""  # noqa: S608 - the user's own text, run with the user's own rights


def _refuse_clash(features: Body, labels: Body, key: Sequence[str]) -> None:
    """No-op where only the warehouse knows the columns: it refuses what comes twice."""
    if labels.columns is None:
        return
    keys = {name.lower() for name in key}
    own = [name for name in labels.columns if name.lower() not in keys]
    if not own:
        raise QueryError(f"{labels.name} returns only the key. Select the label, too.")
    taken = {name.lower() for name in features.columns or ()}
    for name in own:
        if name.lower() in taken:
            raise QueryError(
                f"{features.name} and {labels.name} both return a column {name}."
                f" Rename it in {labels.name} with AS."
            )


def _refuse_features(labels: Body, allowed: Collection[str]) -> None:
    """Raise `QueryError` for a column that a model would take for a feature."""
    columns = labels.columns
    if columns is None:
        # Its part of sqlglot takes as long to load as all the rest.
        from pipeline.queries.stars import find_columns

        columns = find_columns(labels.text)
    if columns is None:
        raise QueryError(
            f"{labels.name} returns `*`, and what that is only the warehouse knows: whatever is not"
            " the label would be a feature that sees the future. Select the columns by their names."
        )
    known = {name.lower() for name in allowed}
    extra = [name for name in columns if name.lower() not in known]
    if extra:
        what = "a feature that sees" if len(extra) == 1 else "features that see"
        raise QueryError(
            f"{labels.name} returns {', '.join(extra)}, which would be {what} the future. Select"
            " only the key and the `label` of configs/training.json, or list what no model shall"
            " see under `ignore` there."
        )
