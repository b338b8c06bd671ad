"""The example in its image: trained and applied there, and the libraries that it relies on."""

from pathlib import Path

import joblib
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from prediction.tests.test_example import load, predictions
from tests.image.jobs import CONFINED, container_job, finished_data

DATA = Path(__file__).parents[1] / "data"
SAMPLE = Path(__file__).parents[2] / "data" / "transactions-sample.csv.gz"

pytestmark = pytest.mark.slow

# What is left out of the image is not missed.
USE_LIBRARIES = """
import joblib, numpy, pandas, pyarrow, pyarrow.csv, pyarrow.dataset, pyarrow.feather, pyarrow.fs
import pyarrow.orc, pyarrow.parquet, scipy.optimize, scipy.stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

frame = pandas.DataFrame({"x": numpy.arange(40.0), "label": numpy.arange(40) > 20})
frame.to_parquet("/work/frame.parquet")
assert pandas.read_parquet("/work/frame.parquet").equals(frame)
frame.to_csv("/work/frame.csv")
table = pyarrow.csv.read_csv("/work/frame.csv").select(["x", "label"])
assert table == pyarrow.dataset.dataset("/work/frame.parquet").to_table()
pyarrow.feather.write_feather(table, "/work/frame.feather")
pyarrow.orc.write_table(table, "/work/frame.orc")
assert table == pyarrow.feather.read_table("/work/frame.feather")
assert table.group_by("label").aggregate([("x", "sum")]).num_rows == 2
for model in (LogisticRegression(), RandomForestClassifier(5, n_jobs=2)):
    joblib.dump(model.fit(frame[["x"]], frame.label), "/work/model.joblib")
    print(joblib.load("/work/model.joblib").score(frame[["x"]], frame.label))
"""


def test_the_example_is_trained_and_applied_in_the_image(engine, example_image, tmp_path):
    place = tmp_path / "place"
    known, new = (pa.csv.read_csv(DATA / f"{each}.csv") for each in ("training", "application"))
    inputs = {"data": finished_data(place / "data" / "training", known)}
    with container_job(engine, place, "training", inputs) as training:
        training.start(example_image)
        assert training.wait() == 0, training.printed
    data = finished_data(place / "data" / "application", new)
    inputs = {"data": data, "model": training.source}
    with container_job(engine, place, "application", inputs) as application:
        application.start(example_image)
        assert application.wait() == 0, application.printed
    predicted = pq.read_table(application.results["part-0.parquet"]).to_pandas()
    model = joblib.load(training.results["model.joblib"])
    expected = model.predict(new.to_pandas().set_index("customer_id"))
    assert predicted.customer_id.tolist() == new["customer_id"].to_pylist()
    assert predicted.probability.tolist() == pytest.approx(expected.probability.tolist())


def test_containers_leave_the_same_predictions_as_processes(example_image, tmp_path):
    words = ("--pipeline-compute", "docker", "--docker-image", example_image)
    there = load(tmp_path / "docker", SAMPLE, *words, "--docker-network", "host")
    here = load(tmp_path / "local", SAMPLE)
    expected = predictions(here)
    assert len(expected) > 100
    pd.testing.assert_frame_equal(predictions(there), expected, check_exact=True)


def test_the_libraries_work_in_the_image(engine, example_image):
    options = ("--rm", *CONFINED, "--entrypoint=python")
    scores = engine.do("run", *options, example_image, "-c", USE_LIBRARIES).split()
    assert len(scores) == 2
    assert all(float(each) > 0.9 for each in scores)
