"""The actions: what `--action` can be.

Each public method of `Task` is one. The annotation of its `config` says which keys its config may
have, and it returns the number of rows that it read. To add an action, add a method. Libraries are
imported inside, once a config is valid.
"""

import inspect
from typing import get_type_hints

from prediction.core.config import (
    ApplicationConfig,
    EvaluationConfig,
    TestingConfig,
    TrainingConfig,
)
from prediction.core.progress import Progress

Config = TrainingConfig | ApplicationConfig | TestingConfig | EvaluationConfig


class Task:
    """The actions, each from files to files."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def training(self, config: TrainingConfig) -> int:
        """Fit the model on `data_path`, measure it, and seal it in `model_path`."""
        from prediction.core.training import train

        return train(config, self._progress)

    def application(self, config: ApplicationConfig) -> int:
        """Apply the model in `model_path` to `data_path`, and write `output_path`."""
        from prediction.core.application import apply

        return apply(config, self._progress)

    def testing(self, config: TestingConfig) -> int:
        """Measure the model in `model_path` on `data_path`, which has labels: `metrics_path`."""
        from prediction.core.testing import test

        return test(config, self._progress)

    def evaluation(self, config: EvaluationConfig) -> int:
        """Measure `predictions_path` by the labels in `data_path`, into `evaluation_path`."""
        from prediction.core.evaluation import evaluate

        return evaluate(config, self._progress)


def actions() -> dict[str, type[Config]]:
    """Map the name of each action to the class of its config."""
    methods = inspect.getmembers(Task, inspect.isfunction)
    return {
        name: get_type_hints(method)["config"]
        for name, method in methods
        if not name.startswith("_")
    }
