"""Data of a date: run the composed queries, or point at files that are there already."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from pipeline import queries, storage
from pipeline.dates import days_before
from pipeline.errors import DataError
from pipeline.marking import describe, mark
from pipeline.model_package import Recipe
from pipeline.records import Marker, RunRequest
from pipeline.row_bounds import RowBounds
from pipeline.storage import Stat
from pipeline.times import now
from pipeline.warehouse import Warehouse

DATA_SUFFIXES = (".parquet", ".csv", ".csv.gz")


@dataclass(frozen=True)
class QueryExtraction:
    """Makes the data of `action` with the user's two queries.

    Training for T joins features as of T - `horizon_days` with labels of the days from then up to
    T; application for D is features as of D, with the queries that were sealed with the model.
    """

    action: str
    horizon_days: int
    package: Path
    warehouse: Warehouse
    bounds: RowBounds

    def __call__(self, request: RunRequest, results: str) -> Marker:
        began = now()
        recipe = self._recipe(request)
        query = self._compose(recipe, request.date)
        extraction = self.warehouse.extract(query.text, query.parameters, recipe.key, results)
        self.bounds.check(extraction.rows, request)
        store = storage.open(results)
        texts = {f"{results}/{name}": text for name, text in recipe.texts().items()}
        written = {url: store.write(url, text.encode()) for url, text in texts.items()}
        made = {**extraction.files, **written}
        files = [describe(url, stat, request.folder) for url, stat in made.items()]
        about = {
            **extraction.about,
            "columns": dict(extraction.columns),
            "training_window": self._window(request.date),
        }
        family, rows = f"data/{self.action}", extraction.rows
        return mark(family, request, results, began, rows=rows, files=files, about=about)

    def _recipe(self, request: RunRequest) -> Recipe:
        if "model" in request.inputs:
            return Recipe.of_model(request.inputs["model"].marker)
        return Recipe.of_package(self.package)

    def _compose(self, recipe: Recipe, date: datetime.date) -> queries.Composed:
        if recipe.labels is None:
            return queries.compose_application(recipe.features, date)
        start = days_before(date, self.horizon_days)
        texts = (recipe.features, recipe.labels)
        return queries.compose_training(
            *texts, recipe.key, start, date, beside_key=recipe.beside_key
        )

    def _window(self, date: datetime.date) -> dict[str, str] | None:
        if self.action == "application":
            return None
        start = str(days_before(date, self.horizon_days))
        return {"features_as_of": start, "labels_from": start, "labels_until": str(date)}


@dataclass(frozen=True)
class FileExtraction:
    """Points at the files of a date that are there already, a file or a folder of them.

    Parameters
    ----------
    action : str
    template : str
        URL in which `{date}` stands for the date.
    """

    action: str
    template: str

    def __call__(self, request: RunRequest, results: str) -> Marker:
        began = now()
        url = self.template.replace("{date}", str(request.date))
        files = [describe(url, stat, request.folder) for url, stat in self._find(url).items()]
        return mark(
            f"data/{self.action}", request, results, began, rows=None, files=files, about={}
        )

    def _find(self, url: str) -> dict[str, Stat]:
        store = storage.open(url)
        if store.exists(url):
            return {url: store.stat(url)}
        found = {each: s for each, s in store.stats(url).items() if each.endswith(DATA_SUFFIXES)}
        if not found:
            raise DataError(
                f"There is no data at {url}. Put the file there (.csv, .csv.gz, .parquet, or a"
                f" folder of them), or correct `data` under [{self.action}] in luigi.cfg."
            )
        return found
