"""`forget`: have a run made again, with all that stands on it.

Nothing is deleted but markers. A run's failure is written before its marker goes, so that the next
attempt has a claim of its own, and what stands on others goes first: whoever is killed here has
forgotten less, and nothing half.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence

from pipeline import cleaned, finished, opening, storage
from pipeline.errors import ForgetError
from pipeline.layout import Run
from pipeline.overview import Condition, Overview, RunState
from pipeline.records import Failure, FailureKind
from pipeline.verbs import DATA
from pipeline.verbs.runs import find_run, open_overview

Ask = Callable[[str], bool]


def forget(task: str, date: datetime.date, action: str, ask: Ask) -> bool:
    """Take the markers of a run, and of those made from it, away. False when `ask` says no.

    Raises `ForgetError` when the run is not done, and when a job works on one of them.
    """
    families = [DATA["training"], "training", DATA["application"], "application"]
    tables = (opening.current_load_family(), opening.current_evaluations_family())
    families += [tables[0], DATA["evaluation"], "evaluation", tables[1]]
    overview = open_overview(families)
    run = find_run(task, date, action)
    if not overview.is_done(run):
        raise ForgetError(
            f"{run} is not done: there is no {run.marker}. There is nothing to forget."
        )
    runs = _find_standing_on(run, overview, families)
    _refuse_live(runs, overview, families)
    print(f"To be made again, {len(runs)} in all:")
    for line in _summarize(runs):
        print(f"    {line}")
    if any(each.family in tables for each in runs):
        print("Tables keep their rows until they are loaded again.")
    if not ask("Take these markers away?"):
        print("Nothing is changed.")
        return False
    for each in reversed(runs):
        _forget(each)
    print(f"{len(runs)} markers are taken away. Run the task again.")
    return True


def _find_standing_on(run: Run, overview: Overview, families: Iterable[str]) -> list[Run]:
    """The run and all that was made from it, each after what it is made from."""
    done = [each for family in families for each in overview.runs(family) if overview.is_done(each)]
    found = {run.marker: run}
    # Families are in the order of the chain, so that a run comes after what it is made from.
    for each in done:
        if any(source.marker in found for source in finished.read_marker(each.marker).sources):
            found[each.marker] = each
    return list(found.values())


def _refuse_live(runs: Sequence[Run], overview: Overview, families: Iterable[str]) -> None:
    """Raise `ForgetError` when a job works on what stands on these runs."""
    going = {run.marker for run in runs}
    open_runs = [
        each for family in families for each in overview.runs(family) if not overview.is_done(each)
    ]
    for state in overview.read(open_runs).values():
        if state.job and state.condition is Condition.RUNNING and _is_made_from(state, going):
            raise ForgetError(
                f"{state.job.name} works on {state.run}, which is made from what you want"
                " forgotten. Wait for it, or end it: `python -m pipeline cancel`."
            )


def _is_made_from(state: RunState, markers: set[str]) -> bool:
    requests = state.request.runs if state.request else ()
    return any(source.marker in markers for each in requests for source in each.inputs.values())


def _summarize(runs: Sequence[Run]) -> list[str]:
    """A line for each family: how many runs, and of which dates."""
    families: dict[str, list[Run]] = {}
    for run in runs:
        families.setdefault(run.family, []).append(run)
    lines = []
    for group in families.values():
        first, last = min(group), max(group)
        what = str(first) if len(group) == 1 else f"{len(group)} x {first} to {last.date}"
        lines.append(what)
    return lines


def _forget(run: Run) -> None:
    job = finished.read_marker(run.marker).job
    failure = Failure(FailureKind.FORGOTTEN, "a person", "it was to be made again")
    storage.write_once(run.failure(job), failure.dump())
    cleaned.take_back(run.marker)
    storage.open(run.marker).delete(run.marker)
