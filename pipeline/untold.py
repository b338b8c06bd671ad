"""That a date was filled by an older model, as long as nobody was told of it.

It lies beside the load, from before its marker until people know: whoever is killed in between
leaves the telling to the next command.
"""

import json
import logging
from collections.abc import Iterable

from pipeline import storage, targets
from pipeline.errors import PipelineError
from pipeline.layout import Run, untold_beside
from pipeline.targets import RunTarget
from pipeline.times import now

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")


class ToldTarget(RunTarget):
    """A finished run of which nobody is still to be told."""

    def exists(self) -> bool:
        return super().exists() and not targets.is_there(untold_beside(self.run))


def note(run: Run) -> None:
    """Leave a word beside a run that is to be told of. No-op when it is there."""
    storage.write_once(untold_beside(run), json.dumps({"noted_at": now()}).encode())


def take_back(urls: Iterable[str]) -> None:
    """People know, or need not any more. When that can't be noted they are told once more."""
    for url in urls:
        try:
            storage.open(url).delete(url)
        except PipelineError as error:
            logger.warning("The next command will tell again, as storage fails: %s", error)
