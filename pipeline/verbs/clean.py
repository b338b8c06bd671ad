"""`clean`: what only takes room. Markers stay, and every model that a date may still need.

What goes, of runs older than a day that a person names:

- the data of training, application and evaluation, once the run that was made from them is done
- the files of predictions, once they are loaded into the warehouse of these settings, and are
  evaluated, or could have been for as many days
- what attempts left that have failed, but for the reason
- the weights of models that were in force only on older dates; their card, configs, queries and
  metrics stay

And whatever the day, what writers left that were killed on the way: no reader ever sees it.

A run whose files go gets a `cleaned.json` first: who needs them later reads that, and what to do.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline import cleaned, finished, opening, settings, storage
from pipeline.errors import DateError
from pipeline.layout import Run, file_url
from pipeline.models import oldest_needed
from pipeline.overview import Overview
from pipeline.storage import Entry
from pipeline.times import today
from pipeline.truth import has_truth
from pipeline.verbs import DATA
from pipeline.verbs.runs import open_overview

# Of a model these stay: small, and they say how a table came about.
_KEPT_SUFFIXES = (".html", ".json", ".sql")


@dataclass(frozen=True)
class Waste:
    """Objects of one run that can go: those that its marker lists, and those that it does not."""

    run: Run
    listed: list[Entry]
    others: list[Entry]

    @property
    def entries(self) -> list[Entry]:
        return self.listed + self.others


def clean(days: int, *, dry_run: bool = False) -> None:
    """Delete what is not needed any more of runs more than `days` days ago.

    Raises `DateError` unless `days` is 1 or more.
    """
    if days < 1:
        raise DateError(f"--older-than {days} is no number of days. Say 1 or more.")
    before = today() - datetime.timedelta(days=days)
    found = list(_find(before))
    entries = [entry for waste in found for entry in waste.entries]
    size = sum(entry.size_bytes for entry in entries) / 1e6
    root = opening.current_layout().root
    remains = list(storage.open(root).list_remains(root))
    amount = f"{len(entries):,} files, {size:,.1f} MB, of {len(found):,} runs before {before}"
    amount += _say_remains(remains)
    if dry_run:
        print(f"Would delete {amount}.")
        return
    for waste in found:
        if waste.listed:
            cleaned.note(waste.run.marker, days)
        for entry in waste.entries:
            storage.open(entry.url).delete(entry.url)
    for entry in remains:
        storage.open(entry.url).delete(entry.url)
    print(f"Deleted {amount}. Markers are kept, and the models that dates may need.")


def _say_remains(remains: Sequence[Entry]) -> str:
    if not remains:
        return ""
    size = sum(entry.size_bytes for entry in remains) / 1e6
    return f", and {size:,.1f} MB that killed writers left"


def _find(before: datetime.date) -> Iterator[Waste]:
    load = opening.current_load_family()
    families = (*DATA.values(), "training", "application")
    overview = open_overview([*families, "evaluation", load])
    newest = overview.newest_done("training")
    for family in families:
        for run in overview.runs(family):
            if run.date < before and overview.is_done(run):
                is_needed = run == newest or _is_needed(run, before, load, overview)
                waste = _sort(run, is_needed=is_needed)
                if waste.entries:
                    yield waste


def _is_needed(run: Run, before: datetime.date, load: str, overview: Overview) -> bool:
    """Whether something may yet be made from the files that a run's marker lists."""
    if run.family == "training":
        return oldest_needed(before) <= run.date
    family = {"application": load}.get(run.family) or run.family.removeprefix("data/")
    if not overview.is_done(opening.current_layout().run(family, run.date)):
        return True
    return run.family == "application" and _awaits_truth(run, before, overview)


def _awaits_truth(run: Run, before: datetime.date, overview: Overview) -> bool:
    """Whether predictions are to meet their labels yet: for a while after these are complete."""
    complete = run.date + datetime.timedelta(days=settings.pipeline().horizon_days)
    if complete < before or overview.is_done(opening.current_layout().run("evaluation", run.date)):
        return False
    return has_truth(finished.read_marker(run.marker).made_from["model"].marker)


def _sort(run: Run, *, is_needed: bool) -> Waste:
    """What of a finished run's folder can go."""
    marker = finished.read_marker(run.marker)
    named = {file_url(run.folder, each.path) for each in marker.files}
    listed, others = [], []
    for entry in storage.open(run.folder).list(run.folder):
        if entry.url in named:
            if not is_needed and not entry.url.endswith(_KEPT_SUFFIXES):
                listed.append(entry)
        elif _is_left(run, entry.url, marker.job):
            others.append(entry)
    return Waste(run, listed, others)


def _is_left(run: Run, url: str, job: str) -> bool:
    """Whether an object is of an attempt that another than `job` made, and not why it failed."""
    folder, separator, name = url.removeprefix(f"{run.folder}/").partition("/")
    return bool(separator) and folder != job and name != "failure.json"
