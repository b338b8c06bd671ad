"""Servers on this machine that take messages: a webhook's, a mail server, and Secret Manager's."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class Webhook:
    """What a webhook got, and how often it was called without a message.

    It answers with `status`, after `pause_seconds`.
    """

    address: str = ""
    calls: int = 0
    bodies: list[bytes] = field(default_factory=list)
    status: int = 200
    pause_seconds: float = 0

    @property
    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for body in self.bodies]


@contextmanager
def listen_as_webhook() -> Iterator[Webhook]:
    hook = Webhook()

    class Handler(Quiet):
        def do_GET(self) -> None:
            hook.calls += 1
            self.answer(hook.status, b"ok")

        def do_POST(self) -> None:
            hook.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(hook.pause_seconds)
            self.answer(hook.status, b"ok")

    with _serve(Handler) as port:
        hook.address = f"http://127.0.0.1:{port}/services/T0/B0/hunter2"
        yield hook


@contextmanager
def listen_as_secret_manager(**secrets: str | bytes) -> Iterator[str]:
    """Serve secrets of the project "shop" by name, or name/versions/N; yields host:port."""
    by_path = {f"/v1/projects/shop/secrets/{name}": secret for name, secret in secrets.items()}

    class Handler(Quiet):
        def do_GET(self) -> None:
            secret = by_path.get(self.path.removesuffix(":access").removesuffix("/versions/latest"))
            if secret is None or not self.path.endswith(":access"):
                error = {"code": 404, "message": f"Secret [{self.path}] not found."}
                self.answer(404, json.dumps({"error": error}).encode())
                return
            content = secret.encode() if isinstance(secret, str) else secret
            data = base64.b64encode(content).decode()
            self.answer(200, json.dumps({"payload": {"data": data}}).encode())

    with _serve(Handler) as port:
        yield f"127.0.0.1:{port}"


@dataclass
class MailServer:
    """What a mail server got. It lets `users` in: name -> password."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        mail = message_from_bytes(envelope.original_content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def let_in(self, server, session, envelope, mechanism, data) -> AuthResult:
        name, password = data.login.decode(), data.password.decode()
        return AuthResult(success=self.users.get(name) == password, handled=False)


@contextmanager
def listen_as_mail_server(**options: object) -> Iterator[MailServer]:
    """`options` are aiosmtpd's own. Without a certificate it takes passwords in plain text."""
    mail = MailServer(free_port())
    options = {"auth_require_tls": "tls_context" in options, **options}
    controller = Controller(
        mail, hostname="127.0.0.1", port=mail.port, authenticator=mail.let_in, **options
    )
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()


def free_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


class Quiet(BaseHTTPRequestHandler):
    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """pytest's output is not for this."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked may have given up: what is tested."""


@contextmanager
def _serve(handler: type[Quiet]) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
