"""Compute Engine on this machine, for tests.

    python -m tests.cloud.compute_engine --port N --journal FOLDER [--prediction FOLDER]

It speaks the REST API that the client library uses, checks requests strictly, and its machines
really boot: as processes that can't outlive it. Beside the API there is /control, for the tests
(see `remote`), /machines, for what machines themselves ask (see `rooms`), and /healthz.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from tests.cloud.compute_engine.control import Control
from tests.cloud.compute_engine.engine import Engine, LostReplyError
from tests.cloud.compute_engine.replies import JSON, RefusedError
from tests.cloud.compute_engine.rooms import Rooms
from tests.cloud.compute_engine.world import PREDICTION, World
from tests.cloud.proxy.doors import Door, Server
from tests.cloud.proxy.messages import Reply, Request

Answer = Callable[[str, str, dict[str, str], JSON], JSON]


def door(engine: Engine) -> type[Door]:
    """What clients talk to."""
    control, rooms = Control(engine), Rooms(engine)

    class EngineDoor(Door):
        def handle_request(self) -> None:
            try:
                self._answer(self.read())
            except RefusedError as error:
                self._tell(error.status, error.body())
            except LostReplyError:
                self.reset()

        do_GET = do_POST = do_DELETE = handle_request  # noqa: N815

        def _answer(self, request: Request) -> None:
            path = request.url.path
            if path.startswith("/machines/"):
                told = rooms.answer(request.method, path, dict(request.headers), _body(request))
            else:
                answer: Answer = engine.answer if path.startswith("/compute/") else control.answer
                told = answer(request.method, path, request.query, _body(request))
            self._tell(200, told)

        def _tell(self, status: int, told: JSON | str) -> None:
            kind = (
                "application/text" if isinstance(told, str) else "application/json; charset=UTF-8"
            )
            text = told if isinstance(told, str) else json.dumps(told)
            self.write(Reply(status, [("Content-Type", kind)], text.encode()))

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
    world = World(given.journal.absolute(), port=given.port, prediction=package.absolute())
    engine = Engine(world)
    Server(("127.0.0.1", given.port), door(engine)).serve_forever()


if __name__ == "__main__":
    main()
