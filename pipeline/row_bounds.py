"""Whether there are as many rows as there should be: data come late, twice, or not at all."""

from dataclasses import dataclass

from pipeline import finished
from pipeline.dates import days_before
from pipeline.errors import DataError, DateError, ObjectMissingError
from pipeline.layout import run_beside
from pipeline.records import RunRequest


@dataclass(frozen=True)
class RowBounds:
    """`min_rows`, and by how many percent the rows may differ from those of the day before.

    0: any number will do. `section` of luigi.cfg has both.
    """

    section: str
    min_rows: int = 0
    max_row_change_percent: int = 0

    def check(self, rows: int, request: RunRequest) -> None:
        """Raise `DataError` when the data of a run have too few rows, or too many others."""
        if rows < self.min_rows:
            raise DataError(
                f"The data of {request.date} have {rows:,} rows, and min_rows under"
                f" [{self.section}] in luigi.cfg is {self.min_rows:,}. If they came late, run the"
                " command again when they are there."
            )
        before = self._rows_before(request) if self.max_row_change_percent else None
        if before is None:
            return
        change = abs(rows - before) / before * 100
        if change > self.max_row_change_percent:
            raise DataError(
                f"The data of {request.date} have {rows:,} rows, {change:,.0f} % from the"
                f" {before:,} of the day before, and max_row_change_percent under [{self.section}]"
                f" in luigi.cfg is {self.max_row_change_percent}. If they are right, allow more"
                " for this command; if they came late, run it again when they are there."
            )

    def _rows_before(self, request: RunRequest) -> int | None:
        """How many rows the day before had; None when that is not known."""
        try:
            day = days_before(request.date, 1)
            return finished.read_marker(run_beside(request.folder, day)).rows
        except (DateError, ObjectMissingError):
            return None
