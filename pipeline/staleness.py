"""Which results would come out otherwise today: made by another query, config or model code."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from pipeline import checksums, finished
from pipeline.code_versions import code_version
from pipeline.errors import ObjectMissingError
from pipeline.layout import Layout, Run, base_name
from pipeline.models import MODEL, model_date_in_force
from pipeline.queries import FEATURES, LABELS
from pipeline.records import Marker, Source

# What a run keeps of the package, and where that is in it.
_SEALED = {
    FEATURES: f"queries/{FEATURES}",
    LABELS: f"queries/{LABELS}",
    "training.json": "configs/training.json",
    "application.json": "configs/application.json",
}


class Staleness:
    """Compares what finished runs were made by with the model package as it is now.

    A run is stale as well when what it was made from is, or was made again since.
    """

    def __init__(self, layout: Layout, package: Path) -> None:
        self.layout = layout
        self.package = package
        self._known: dict[str, str] = {}

    def explain(self, run: Run, marker: Marker) -> str:
        """Why a finished run is stale, in a few words; empty when it is not."""
        if run.marker not in self._known:
            self._known[run.marker] = next(filter(None, self._reasons(marker)), "")
        return self._known[run.marker]

    def _reasons(self, marker: Marker) -> Iterator[str]:
        yield self._explain_files(marker)
        yield self._explain_model(marker)
        for source in marker.sources:
            yield self._explain_source(source)
        # The last: other queries and configs are other code, too.
        yield self._explain_code(marker)

    def _explain_files(self, marker: Marker) -> str:
        for each in marker.files:
            ours = _SEALED.get(base_name(each.path))
            if ours and not _is_same(self.package / ours, each.checksum):
                return f"made by another {base_name(each.path)}"
        return ""

    def _explain_code(self, marker: Marker) -> str:
        made_by = marker.about.get("code")
        return "made by other model code" if made_by not in (None, self._code) else ""

    def _explain_model(self, marker: Marker) -> str:
        """Predictions by another model than the date's own, which had failed, or was not pinned."""
        source = marker.made_from.get(MODEL)
        model = self.layout.run_at(source.marker) if source else None
        if model is None or model.date == model_date_in_force(marker.date):
            return ""
        return f"made with the model of {model.date}"

    def _explain_source(self, source: Source) -> str:
        run = self.layout.run_at(source.marker)
        if run is None:
            return ""
        try:
            content = finished.read(source.marker)
        except ObjectMissingError:
            return f"{run} is to be made again"
        if checksums.of_bytes(content) != source.checksum:
            return f"{run} was made again since"
        why = self.explain(run, finished.read_marker(source.marker))
        return why and f"{run} is stale: {why.rpartition(': ')[2]}"

    @cached_property
    def _code(self) -> str:
        return code_version(self.package)


def _is_same(path: Path, checksum: str) -> bool:
    try:
        return checksums.matches(path, checksum)
    except OSError:
        return False
