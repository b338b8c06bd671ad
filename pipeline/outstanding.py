"""What stands before a run that nobody has begun: its sources, or the day on which to begin."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline import finished, waits
from pipeline.dates import days_after
from pipeline.errors import PipelineError
from pipeline.layout import Layout, Run
from pipeline.models import MODEL
from pipeline.overview import Condition, RunState
from pipeline.queries import READY
from pipeline.times import today
from pipeline.truth import has_truth


@dataclass(frozen=True)
class Outstanding:
    """Tells more of missing runs than that.

    Parameters
    ----------
    layout : Layout
    states : run -> state
        How all runs stand that are asked for, as storage tells.
    horizon_days : int
    """

    layout: Layout
    states: Mapping[Run, RunState]
    horizon_days: int

    def find(self) -> dict[Run, RunState]:
        """The runs of which more can be told, each with its state."""
        missing = [run for run, each in self.states.items() if each.condition is Condition.MISSING]
        return {**self._waiting(missing), **self._evaluations(missing)}

    def _waiting(self, missing: Iterable[Run]) -> dict[Run, RunState]:
        """Data whose sources were not complete when somebody wanted them."""
        asked = waits.read(self.layout)
        found = {}
        for run in missing:
            is_truth = run.family == "data/evaluation"
            end = days_after(run.date, self.horizon_days if is_truth else 0)
            if run.family.startswith("data/") and end in asked:
                when = datetime.datetime.fromisoformat(asked[end])
                words = f"the data before {end} were not complete, said {READY} on"
                words += f" {when:%Y-%m-%d at %H:%M} (UTC)"
                found[run] = RunState(run, Condition.WAITING, words)
        return found

    def _evaluations(self, missing: Iterable[Run]) -> dict[Run, RunState]:
        """Evaluations of what is predicted, whose day has come or will."""
        found = {}
        for run in missing:
            if run.family.startswith("evaluations/") and self._can_be_evaluated(run.date):
                day = days_after(run.date, self.horizon_days)
                condition = Condition.DUE if day <= today() else Condition.LATER
                found[run] = RunState(run, condition, f"its truth is complete on {day}")
        return found

    def _can_be_evaluated(self, date: datetime.date) -> bool:
        """Whether `date` is predicted, by a model that has labels; so, too, when nobody knows."""
        predicted = self.states[self.layout.run("application", date)]
        if predicted.condition not in (Condition.DONE, Condition.STALE):
            return False
        try:
            return has_truth(finished.read_marker(predicted.run.marker).made_from[MODEL].marker)
        except PipelineError:
            return True
