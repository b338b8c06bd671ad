"""The tasks that `luigi --module pipeline` offers.

They are loaded for whoever has loaded Luigi. A container imports this package only for storage,
and must not pay for, or need, a scheduler.
"""

import sys

if "luigi" in sys.modules:
    from pipeline import console, notices
    from pipeline.backfill import Backfill
    from pipeline.evaluation import EvaluatePredictions, MeasurePredictions
    from pipeline.tasks import ApplyModel, ExtractData, LoadToBigQuery, Retrain, TrainModel

    console.prepare()
    notices.install()

    __all__ = [
        "ApplyModel",
        "Backfill",
        "EvaluatePredictions",
        "ExtractData",
        "LoadToBigQuery",
        "MeasurePredictions",
        "Retrain",
        "TrainModel",
    ]
