"""A server between a client and the cloud that changes replies, as no fault of the proxy does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.cloud.proxy.doors import Door, Server
from tests.cloud.proxy.messages import Reply, Request, send

Change = Callable[[Request, Reply], Reply]


class CutReply(Reply):
    """A reply of which only the first half arrives."""


@contextmanager
def interference(address: str, change: Change) -> Iterator[str]:
    """The address of a server that answers what `change` makes of the answers at `address`."""
    port = urlsplit(address).port
    assert port is not None

    class Between(Door):
        def handle_request(self) -> None:
            request = self.read()
            reply = change(request, send(request, port))
            if isinstance(reply, CutReply):
                self.write_half(reply)
            else:
                self.write(reply)

        def write_half(self, reply: Reply) -> None:
            self.send_response_only(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.wfile.flush()
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = handle_request  # noqa: N815

    server = Server(("127.0.0.1", 0), Between)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
