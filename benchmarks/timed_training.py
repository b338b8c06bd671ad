"""A training that tells what its card and its reference for drift cost.

The last line is JSON, CPU seconds.

python timed_training.py CONFIG
"""

import json
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from prediction.core import card, reference, training, versions
from prediction.main import main

spent = {"card": 0.0, "drift": 0.0}


def write(*given: Any) -> None:
    # Which library is whose is read once, by whoever asks first; the seal asks without a card, too.
    versions.imported()
    timed("card", card.write)(*given)


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        begun = time.process_time()
        try:
            return function(*given)
        finally:
            spent[part] += time.process_time() - begun

    return call


if __name__ == "__main__":
    describe = timed("card", card.describe)
    training.card = SimpleNamespace(describe=describe, write=write)
    looks = {each: timed("drift", getattr(reference, each)) for each in ("of_features", "of_score")}
    training.reference = SimpleNamespace(**{**vars(reference), **looks})
    status = main(["--action", "training", "--config", sys.argv[1]])
    print(json.dumps({**spent, "all": time.process_time()}))
    sys.exit(status)
