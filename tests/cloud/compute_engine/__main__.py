"""Compute Engine on this machine, for tests.

    python -m tests.cloud.compute_engine --port N --journal FOLDER [--prediction FOLDER]

It speaks the REST API that the client library uses, checks requests strictly, and its machines
really work: as processes that can't outlive it. Beside the API there is /control, for the tests
(see `remote`), and /healthz.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from tests.cloud.compute_engine.control import Control
from tests.cloud.compute_engine.engine import Engine, LostReplyError
from tests.cloud.compute_engine.machines import PREDICTION, World
from tests.cloud.compute_engine.replies import JSON, RefusedError
from tests.cloud.proxy.doors import Door, Server
from tests.cloud.proxy.messages import Reply, Request

Answer = Callable[[str, str, dict[str, str], JSON], JSON]


def door(engine: Engine) -> type[Door]:
    """What clients talk to."""
    control = Control(engine)

    class EngineDoor(Door):
        def handle_request(self) -> None:
            try:
                self._tell(200, self._answer(self.read()))
            except RefusedError as error:
                self._tell(error.status, error.body())
            except LostReplyError:
                self.reset()

        do_GET = do_POST = do_DELETE = handle_request  # noqa: N815

        def _answer(self, request: Request) -> JSON | list[JSON]:
            path = request.url.path
            answer: Answer = engine.answer if path.startswith("/compute/") else control.answer
            return answer(request.method, path, request.query, _body(request))

        def _tell(self, status: int, told: JSON | list[JSON]) -> None:
            headers = [("Content-Type", "application/json; charset=UTF-8")]
            self.write(Reply(status, headers, json.dumps(told).encode()))

    return EngineDoor


def _body(request: Request) -> JSON:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise RefusedError(400, "parseError", f"Parse Error: {error}") from None
    if not isinstance(body, dict):
        raise RefusedError(400, "parseError", "Parse Error: not an object")
    return body


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--journal", type=Path, required=True, help="for the machines' files")
    options.add_argument("--prediction", type=Path, help="the model package in every image")
    given = options.parse_args()
    package = given.prediction or PREDICTION
    engine = Engine(World(given.journal.absolute(), package.absolute()))
    Server(("127.0.0.1", given.port), door(engine)).serve_forever()


if __name__ == "__main__":
    main()
