"""Every error that this package raises on purpose: one line for a person, never a traceback.

An error of another kind is unforeseen (most often it comes from the model) and is told with its
traceback.
"""


class PredictionError(Exception):
    """A failure that a person can name, and put right."""


class UsageError(PredictionError, ValueError):
    """The command line asks for something that is not there."""


class ConfigError(PredictionError, ValueError):
    """A config is not what its action needs."""


class DataError(PredictionError, ValueError):
    """The data cannot be read, or is not what the model needs."""


class ModelError(PredictionError, TypeError):
    """The model's class does not keep to its contract."""


class QualityError(PredictionError):
    """A model is worse than its config allows."""


class WriteError(PredictionError, OSError):
    """A file of the results cannot be written."""


class SealError(PredictionError):
    """A saved model is not what was saved, or was saved by something else."""


def told(error: BaseException) -> str:
    """What happened, in one line; an error that is not ours does not say it without its kind."""
    words = " ".join(str(error).split())
    if isinstance(error, PredictionError):
        return words
    return f"{type(error).__name__}: {words}".removesuffix(": ")
