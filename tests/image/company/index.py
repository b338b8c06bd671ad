"""What no public index has: wheels made here, and a private index that asks for a password."""

import base64
import http.server
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "builder", "hush-7d1f"


def write_wheel(folder: Path, name: str, code: str) -> Path:
    """A wheel of one module, version 1.0."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{about}/WHEEL", tags)
        wheel.writestr(f"{about}/RECORD", "")
    return path


@contextmanager
def private_index(wheel: Path) -> Iterator[str]:
    """The URL, with its password, of an index on this machine that has one wheel."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _answer_with(wheel))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}/simple/"
    finally:
        server.shutdown()
        server.server_close()


def _answer_with(wheel: Path) -> type[http.server.BaseHTTPRequestHandler]:
    name = wheel.name.partition("-")[0].replace("_", "-")
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    pages = {
        f"/simple/{name}/": ("text/html", f'<a href="/{wheel.name}">{wheel.name}</a>'.encode()),
        f"/{wheel.name}": ("application/zip", wheel.read_bytes()),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["Authorization"] != f"Basic {token}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
            elif page := pages.get(self.path):
                self.send_response(200)
                self.send_header("Content-Type", page[0])
                self.end_headers()
                self.wfile.write(page[1])
            else:
                self.send_error(404)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    return Handler
