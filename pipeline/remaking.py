"""What to type to have a finished run made again, for messages that say so."""

import re

# What lies in the folder of a run, its marker or a file of an attempt.
_IN_RUN = re.compile(
    r"/(data/)?(training|application|evaluation|load|evaluations)(?:/\w+)?/date=(\d{4}-\d{2}-\d{2})/"
)
_TASKS = {
    "training": "TrainModel",
    "application": "ApplyModel",
    "evaluation": "MeasurePredictions",
    "load": "LoadToBigQuery",
    "evaluations": "EvaluatePredictions",
}


def how_to_remake(url: str) -> str:
    """A sentence on the run in whose folder `url` is: its marker's, or that of a file."""
    # The last: storage may lie in a folder that is called so.
    *_, (data, kind, date) = [("", "", ""), *_IN_RUN.findall(url)]
    words = f"{_TASKS.get(kind, 'TASK')} {date or 'DATE'}"
    if data:
        words = f"ExtractData {date} --action {kind}"
    return (
        f"Have it made again: `python -m pipeline forget {words}`, and run your command once more."
    )
