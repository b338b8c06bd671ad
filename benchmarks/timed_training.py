"""A training that tells what its card cost: the last line is JSON, CPU seconds.

python timed_training.py CONFIG
"""

import json
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from prediction.core import card, training, versions
from prediction.main import main

spent = {"card": 0.0}


def write(*given: Any) -> None:
    # Which library is whose is read once, by whoever asks first; the seal asks without a card, too.
    versions.imported()
    timed(card.write)(*given)


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        begun = time.process_time()
        try:
            return function(*given)
        finally:
            spent["card"] += time.process_time() - begun

    return call


if __name__ == "__main__":
    describe = timed(card.describe)
    training.card = SimpleNamespace(describe=describe, write=write)
    status = main(["--action", "training", "--config", sys.argv[1]])
    print(json.dumps({**spent, "all": time.process_time()}))
    sys.exit(status)
