"""E-mail to a real server on this machine: who gets it, and how it is kept from others."""

import ssl
import subprocess
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.errors import NoticeError
from pipeline.notices import hosts, mail
from pipeline.notices.message import Message
from tests.listeners import free_port, listen_as_mail_server

# An address that is none of this machine's, and that the kernel takes there all the same.
ELSEWHERE = "0.0.0.0"  # noqa: S104 - nobody listens there
MESSAGE = Message("churn v1: TrainModel failed", "What failed: <é>")


def chosen(port: int, **others: str) -> settings.notices:
    values = {"email_to": "me@shop.example", "email_from": "a@shop.example", **others}
    return settings.notices(smtp_port=port, **{"smtp_host": "127.0.0.1", **values})


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """One that nobody has signed, as a mail server of one's own machine has."""
    names = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
    subprocess.run([*command, "-subj", "/CN=mail"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


def test_a_message_arrives_as_it_was_written():
    with listen_as_mail_server() as server:
        mail.send(chosen(server.port), MESSAGE)
    [letter] = server.mails
    assert letter["Subject"] == MESSAGE.subject
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content() == "What failed: <é>\r\n"


def test_the_connection_is_encrypted_where_the_server_offers_it(certificate, monkeypatch):
    monkeypatch.setenv("PASSWORD", "correct horse")
    with listen_as_mail_server(tls_context=certificate, require_starttls=True) as server:
        server.users["pipeline"] = "correct horse"
        login = {"smtp_user": "pipeline", "smtp_password": "env:PASSWORD"}
        mail.send(chosen(server.port, **login), MESSAGE)
    assert len(server.mails) == 1


def test_no_password_leaves_the_machine_over_plain_text(monkeypatch):
    monkeypatch.setenv("PASSWORD", "hunter2")
    with listen_as_mail_server() as server:
        server.users["pipeline"] = "hunter2"
        login = {"smtp_user": "pipeline", "smtp_password": "env:PASSWORD"}
        with pytest.raises(NoticeError, match="offers no encryption") as refused:
            mail.send(chosen(server.port, smtp_host=ELSEWHERE, **login), MESSAGE)
    assert not server.mails
    assert "hunter2" not in str(refused.value)


def test_a_server_elsewhere_must_be_who_it_says(certificate):
    with (
        listen_as_mail_server(tls_context=certificate) as server,
        pytest.raises(NoticeError, match="can't be used: SSLCertVerificationError"),
    ):
        mail.send(chosen(server.port, smtp_host=ELSEWHERE), MESSAGE)
    assert not server.mails


@pytest.mark.parametrize(
    ("server", "is_here"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("a.b", False)],
)
def test_this_machine_is_known_by_its_address(server, is_here):
    assert hosts.is_loopback(server) == is_here


def test_a_server_that_is_not_there_is_named():
    port = free_port()
    with pytest.raises(NoticeError, match=rf"The mail server 127\.0\.0\.1:{port} can't be used"):
        mail.send(chosen(port), MESSAGE)


def test_a_password_that_can_not_be_typed_is_not_repeated(monkeypatch):
    monkeypatch.setenv("PASSWORD", "hüntér2")
    with listen_as_mail_server() as server:
        login = {"smtp_user": "pipeline", "smtp_password": "env:PASSWORD"}
        with pytest.raises(NoticeError) as refused:
            mail.send(chosen(server.port, **login), MESSAGE)
    assert "hünt" not in str(refused.value)
