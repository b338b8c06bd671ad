"""HTTP/1.1 as a server: connections whose messages come in whole and go out whole."""

import socket
import socketserver
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.cloud.proxy.messages import Reply, Request

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_WITHOUT_BODY = (204, 304)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def server_bind(self) -> None:
        # http.server asks the name service for the machine's name here, which may take long.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Door(BaseHTTPRequestHandler):
    """One connection of a client: requests come in whole, and replies go out whole."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def read(self) -> Request:
        return Request(self.command, self.path, list(self.headers.items()), self._body())

    def write(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status not in _WITHOUT_BODY:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def reset(self) -> None:
        """Close so that the client reads "connection reset by peer"."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.wfile.close()
        self.rfile.close()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: the proxy keeps a log of its own."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk
