"""Names of tables, with or without a partition."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bqemulator.domain.errors import ValidationError
from bqemulator.storage.sql_identifiers import quoted_table_ref

# cloud.google.com/bigquery/docs/partitioned-tables#partition_decorators; of days only
_PARTITION = re.compile(r"\d{8}")


@dataclass(frozen=True)
class Name:
    """A table; `partition` is the YYYYMMDD of its decorator, empty for all of the table."""

    project: str
    dataset: str
    table: str
    partition: str = ""

    @classmethod
    def parse(cls, project: str, dataset: str, table: str) -> "Name":
        table, decorated, partition = table.partition("$")
        if decorated and not _PARTITION.fullmatch(partition):
            raise ValidationError(f"Invalid date partition: {partition}")
        return cls(project, dataset, table, partition)

    @classmethod
    def of(cls, reference: Mapping[str, str]) -> "Name":
        """From a REST API's table reference."""
        return cls.parse(reference["projectId"], reference["datasetId"], reference["tableId"])

    @property
    def whole(self) -> "Name":
        return replace(self, partition="")

    @property
    def in_duckdb(self) -> str:
        return quoted_table_ref(self.project, self.dataset, self.table)

    @property
    def reference(self) -> dict[str, str]:
        table = self._decorated
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": table}

    @property
    def _decorated(self) -> str:
        return f"{self.table}${self.partition}" if self.partition else self.table

    def __str__(self) -> str:
        return f"{self.project}:{self.dataset}.{self._decorated}"
