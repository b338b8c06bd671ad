"""What an application tells of drift: warnings, a refusal, and two files beside the predictions.

`drift.json` is for people and programs, `drift.parquet` has the same as rows of a table. The table
is made when the config's constants say which run it is: `date`, `model_date` and `run_id`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from prediction.core import drift, writing
from prediction.core.config import ApplicationConfig
from prediction.core.constants import Constant
from prediction.core.drift import Drift
from prediction.core.errors import DataError

JSON, TABLE = "drift.json", "drift.parquet"
FORMAT = 1
NO_REFERENCE = "This model keeps no reference to compare data with. Models trained from now on do."

RUN = {"date": "date", "model_date": "date", "run_id": "string"}
SCHEMA = pa.schema(
    {
        "date": pa.date32(),
        "model_date": pa.date32(),
        "run_id": pa.string(),
        "feature": pa.string(),
        "role": pa.string(),
        "psi": pa.float64(),
        "psi_by_chance": pa.float64(),
        "missing_share": pa.float64(),
        "missing_share_training": pa.float64(),
        "rows_compared": pa.int64(),
    }
)
LIMITS = ("drift_warn", "drift_stop", "missing_warn", "missing_stop")
NAMED = 5


def check(drifts: Sequence[Drift], config: ApplicationConfig) -> None:
    """Raise `DataError` when a column is above `drift_stop` or `missing_stop`."""
    above = [one for one in drift.worst(drifts) if one.exceeds(config.drift_stop)]
    if above:
        raise _refusal(
            above, f"psi is {above[0].psi:.3g}, above drift_stop = {config.drift_stop:g}", config
        )
    missing = [
        one for one in drift.most_missing(drifts) if one.is_missing_beyond(config.missing_stop)
    ]
    if missing:
        first = missing[0]
        raise _refusal(
            missing,
            f"share of nulls is {first.missing_share:.3g} and was"
            f" {first.trained.missing_share:.3g}, which differs by more than missing_stop ="
            f" {config.missing_stop:g}",
            config,
        )


def warnings(drifts: Sequence[Drift], config: ApplicationConfig) -> list[str]:
    """A sentence for each limit that columns are above, naming the worst of them."""
    found = []
    if above := [one for one in drift.worst(drifts) if one.exceeds(config.drift_warn)]:
        named = _name(above, lambda one: f"{one.psi:.3g}")
        limit = f"above drift_warn = {config.drift_warn:g}"
        found.append(f"The data are unlike those of {_training(config)}, by psi: {named} ({limit})")
    missing = [
        one for one in drift.most_missing(drifts) if one.is_missing_beyond(config.missing_warn)
    ]
    if missing:
        named = _name(
            missing, lambda one: f"{one.trained.missing_share:.3g} to {one.missing_share:.3g}"
        )
        limit = f"by more than missing_warn = {config.missing_warn:g}"
        found.append(f"Shares of nulls are unlike those of {_training(config)}: {named} ({limit})")
    return found


def write(drifts: Sequence[Drift], config: ApplicationConfig, told: Sequence[str]) -> None:
    """Make the files beside `output_path`. Raises `WriteError` when the disk refuses."""
    run = _run(config.constants)
    content = {
        "format": FORMAT,
        **{name: str(run[name]) if run else None for name in RUN},
        "limits": {name: getattr(config, name) for name in LIMITS},
        "warnings": list(told),
        "columns": [_plain(one) for one in drifts],
    }
    _write_json(config, content)
    if run:
        rows = [{**run, **_row(one)} for one in drifts]
        table = pa.Table.from_pylist(rows, SCHEMA)
        with writing.replacing(config.output_path.with_name(TABLE)) as draft:
            pq.write_table(table, draft)


def write_nothing_to_compare(config: ApplicationConfig) -> None:
    """Make `drift.json` alone, which says that the model keeps no reference."""
    content = {"format": FORMAT, "note": NO_REFERENCE, "warnings": [], "columns": []}
    _write_json(config, content)


def _refusal(above: Sequence[Drift], why: str, config: ApplicationConfig) -> DataError:
    others = f", as in {len(above) - 1} more" if len(above) > 1 else ""
    return DataError(
        f"{above[0].name} is not as it was in {_training(config)}: its {why}{others}. Nothing was"
        " written. Look where its values come from, and correct the data; or train the model anew"
        " on data like these. The limits are those of application.json, as it was when the model"
        " was trained."
    )


def _training(config: ApplicationConfig) -> str:
    run = _run(config.constants)
    return f"the training of {run['model_date']}" if run else "the training"


def _name(drifts: Sequence[Drift], words: Callable[[Drift], str]) -> str:
    named = ", ".join(f"{one.name} {words(one)}" for one in drifts[:NAMED])
    more = len(drifts) - NAMED
    return f"{named} and {more} more" if more > 0 else named


def _run(constants: Mapping[str, Constant]) -> dict[str, Any]:
    """What tells the run; empty when the constants do not."""
    if any(name not in constants or constants[name].type != type_ for name, type_ in RUN.items()):
        return {}
    return {name: constants[name].value for name in RUN}


def _row(one: Drift) -> dict[str, Any]:
    return {
        "feature": one.trained.name,
        "role": one.trained.role,
        "psi": one.psi,
        "psi_by_chance": one.psi_by_chance,
        "missing_share": one.missing_share,
        "missing_share_training": one.trained.missing_share,
        "rows_compared": one.rows,
    }


def _plain(one: Drift) -> dict[str, Any]:
    bins = [
        {"bin": name, "share_training": trained, "share": now}
        for name, trained, now in drift.shares_by_bin(one)
    ]
    return {**_row(one), "rows_training": one.trained.rows, "bins": bins}


def _write_json(config: ApplicationConfig, content: Any) -> None:
    with writing.replacing(config.output_path.with_name(JSON)) as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
