"""`check`: prove on the warehouse itself that the queries see nothing of a date's future.

It also looks whether a model can take what they return, and whether the newest model predicts the
same however rows come to it. What the warehouse will read is told before anything is run.
"""

import datetime
from collections.abc import Sequence

from pipeline import settings
from pipeline.dates import days_before
from pipeline.model_package import Recipe, find_ignored
from pipeline.queries import FEATURES, LABELS, compose_training
from pipeline.queries.cutting import refuse_moods
from pipeline.times import today
from pipeline.verbs.asking import Asking, Question, asking, estimate
from pipeline.verbs.column_types import tell_changes, tell_unusable
from pipeline.verbs.honesty import Subject, prove
from pipeline.verbs.repeating import Rehearsal, explain_skipping
from pipeline.verbs.trained import Trained

_FAILED = 1


def check(date: datetime.date | None) -> int:
    """Print what is proven of the queries and the model. Returns 1 when something is not, else 0.

    The labels are those of the horizon up to `date` (today), the features those before it.
    """
    if settings.action("training").data:
        print(
            "Nothing to prove: the data are files (`data` under [training] in luigi.cfg), which no"
            " query makes."
        )
        return 0
    stop = date or today()
    recipe = Recipe.of_package(settings.pipeline().prediction)
    subjects = _find_subjects(recipe, stop)
    current = Question.of(FEATURES, recipe.features, {"date": stop}, recipe.key)
    model = Trained.newest()
    skipped = explain_skipping(model)
    rehearsal = None if model is None or skipped else Rehearsal.of(model, stop, recipe.features)
    _tell_sizes(
        [
            *(question for each in subjects for question in each.questions()),
            current,
            *([rehearsal.features] if rehearsal else []),
        ]
    )
    with asking() as warehouse:
        sound = [prove(each, warehouse) for each in subjects]
        sound.append(_are_usable(subjects, warehouse))
        sound.append(_are_steady(subjects[0], current, warehouse))
        if rehearsal:
            sound.append(rehearsal.is_repeatable(warehouse))
        else:
            print(skipped)
    return 0 if all(sound) else _FAILED


def _find_subjects(recipe: Recipe, stop: datetime.date) -> list[Subject]:
    """The features and the labels of a training for `stop`. Raises `QueryError`."""
    start = days_before(stop, settings.pipeline().horizon_days)
    found = [Subject(FEATURES, recipe.features, {"date": start}, "date", recipe.key)]
    if recipe.labels is not None:
        days = {"start": start, "stop": stop}
        found.append(Subject(LABELS, recipe.labels, days, "stop", recipe.key))
        texts = (recipe.features, recipe.labels)
        # For what it refuses: a training would refuse it, too.
        compose_training(*texts, recipe.key, start, stop, beside_key=recipe.beside_key)
    for each in found:
        refuse_moods(each.name, each.text)
    return found


def _tell_sizes(questions: Sequence[Question]) -> None:
    """Print what will be read, where that costs something. Raises `QueryError` beyond the limit."""
    for name, sizes in estimate(questions).items():
        limit = _amount(settings.bigquery().maximum_bytes_billed)
        print(
            f"{name} will read {_amount(sum(sizes))} in {len(sizes)} queries;"
            f" maximum_bytes_billed allows {limit} for each."
        )


def _amount(size_bytes: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:,.1f}".removesuffix(".0") + f" {name}"
    return f"{size_bytes:,} bytes"


def _are_usable(subjects: Sequence[Subject], warehouse: Asking) -> bool:
    """Whether models take the types of what the queries return."""
    ignored = find_ignored(settings.pipeline().prediction)
    if ignored is None:  # only the package itself knows
        return True
    told = [tell_unusable(each.name, warehouse.ask(each.plain), ignored) for each in subjects]
    return not any(told)


def _are_steady(features: Subject, current: Question, warehouse: Asking) -> bool:
    """Whether the features have one row per key and the same types on two dates."""
    ((_, day),) = current.values
    one, other = warehouse.ask(features.plain), warehouse.ask(current)
    if tell_changes(f"{features.name} as of {features.day}", one, other, f"as of {day}"):
        return False
    print(
        f"{features.name} returns one row per {', '.join(features.key)}, and columns of the same"
        f" types, as of {features.day} and {day}."
    )
    return True
