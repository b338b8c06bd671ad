"""Compute Engine on this machine, for tests.

    python -m tests.cloud.compute_engine --port N [--journal FOLDER] [--prediction FOLDER]

It speaks the REST API that the client library uses, checks requests strictly, and its machines
really work: as processes that can't outlive it. Beside the API there is /control, for the tests
(see `remote`), and /healthz.
"""

import argparse
import json
import socket
import socketserver
import struct
import tempfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.cloud.compute_engine.control import Control
from tests.cloud.compute_engine.engine import Engine, LostReplyError
from tests.cloud.compute_engine.machines import PREDICTION, World
from tests.cloud.compute_engine.replies import JSON, RefusedError

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Answer = Callable[[str, str, dict[str, str], JSON], JSON]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def server_bind(self) -> None:
        # http.server asks the name service for the machine's name here, which may take long.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


def door(engine: Engine) -> type[BaseHTTPRequestHandler]:
    """What clients talk to."""
    control = Control(engine)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_request(self) -> None:
            url = urlsplit(self.path)
            query = {
                name: values[-1]
                for name, values in parse_qs(url.query, keep_blank_values=True).items()
            }
            answer: Answer = engine.answer
            if not url.path.startswith("/compute/"):
                answer = control.answer
            try:
                told = answer(self.command, url.path, query, self._body())
            except RefusedError as error:
                self._write(error.status, error.body())
            except LostReplyError:
                self._reset()
            else:
                self._write(200, told)

        do_GET = do_POST = do_DELETE = handle_request  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Nothing: the proxy in front keeps a log."""

        def _body(self) -> JSON:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                body = json.loads(content or b"{}")
            except ValueError as error:
                raise RefusedError(400, "parseError", f"Parse Error: {error}") from None
            if not isinstance(body, dict):
                raise RefusedError(400, "parseError", "Parse Error: not an object")
            return body

        def _write(self, status: int, told: JSON | list[JSON]) -> None:
            content = json.dumps(told).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def _reset(self) -> None:
            """Close so that the client reads "connection reset by peer"."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.wfile.close()
            self.rfile.close()
            self.connection.close()

    return Door


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--journal", type=Path, help="folder for the machines' files")
    options.add_argument("--prediction", type=Path, help="the model package in every image")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="compute-engine-") as own:
        folder = given.journal or Path(own)
        package = given.prediction or PREDICTION
        engine = Engine(World(folder.absolute(), package.absolute()))
        Server(("127.0.0.1", given.port), door(engine)).serve_forever()


if __name__ == "__main__":
    main()
