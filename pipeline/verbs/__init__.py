"""The verbs of `python -m pipeline`, a module for each. They print what a person asked for."""

# Tasks whose runs are made by jobs of their own, which can be ended and have a log; all tasks that
# have runs; and the families of the data, by action.
JOB_TASKS = {
    "TrainModel": "training",
    "ApplyModel": "application",
    "MeasurePredictions": "evaluation",
}
TASKS = ("ExtractData", *JOB_TASKS, "LoadToBigQuery", "EvaluatePredictions")
DATA = {
    "training": "data/training",
    "application": "data/application",
    "evaluation": "data/evaluation",
}
