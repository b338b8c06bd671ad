"""The tasks that `luigi --module pipeline` offers.

They are loaded for whoever has loaded Luigi. A container imports this package only for storage,
and must not pay for, or need, a scheduler.
"""

import sys

if "luigi" in sys.modules:
    from pipeline import console, notices
    from pipeline.tasks import (
        ApplyModel,
        Backfill,
        ExtractData,
        LoadToBigQuery,
        Retrain,
        TrainModel,
    )

    console.prepare()
    notices.install()

    __all__ = [
        "ApplyModel",
        "Backfill",
        "ExtractData",
        "LoadToBigQuery",
        "Retrain",
        "TrainModel",
    ]
