"""A message by e-mail. A password is sent over an encrypted connection, or to this machine."""

import email.utils
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from pipeline import settings
from pipeline.errors import NoticeError
from pipeline.notices import hosts, secret_places
from pipeline.notices.message import Message

SECONDS = 10.0
# Where the connection is encrypted from the first byte. Source: RFC 8314.
_TLS_PORT = 465


def send(chosen: settings.notices, message: Message) -> None:
    """Hand a message to the mail server for all of `email_to`. Raises `NoticeError`."""
    password = secret_places.read(chosen.smtp_password) if chosen.smtp_password else ""
    with _naming(chosen), _connect(chosen) as server:
        if password:
            _check_encrypted(chosen, server)
            server.login(chosen.smtp_user, password)
        refused = server.send_message(_write(chosen, message))
    if refused:
        raise NoticeError(f"{_server(chosen)} sends no mail to {', '.join(refused)}. {_REMEDY}")


_REMEDY = "Correct [notices] in luigi.cfg."


def _write(chosen: settings.notices, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = chosen.email_from
    mail["To"] = ", ".join(each.strip() for each in chosen.email_to.split(","))
    mail["Date"] = email.utils.localtime()
    mail["Message-ID"] = email.utils.make_msgid(domain=chosen.email_from.rpartition("@")[2])
    # Whatever answers mail by itself lets this one be. Source: RFC 3834.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text}\n")
    return mail


@contextmanager
def _connect(chosen: settings.notices) -> Iterator[smtplib.SMTP]:
    host, port = chosen.smtp_host, chosen.smtp_port
    context = _context(host)
    if port == _TLS_PORT:
        with smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context) as server:
            yield server
        return
    with smtplib.SMTP(host, port, timeout=SECONDS) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        yield server


def _context(host: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if hosts.is_loopback(host):
        # A mail server of this machine seldom has a certificate for the name "localhost".
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_encrypted(chosen: settings.notices, server: smtplib.SMTP) -> None:
    if not isinstance(server.sock, ssl.SSLSocket) and not hosts.is_loopback(chosen.smtp_host):
        raise NoticeError(
            f"{_server(chosen)} offers no encryption, so that it gets no password and no message."
            " Set smtp_port under [notices] in luigi.cfg to one that does, such as 465."
        )


@contextmanager
def _naming(chosen: settings.notices) -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        why = f"refuses user and password ({error.smtp_code})"
    except smtplib.SMTPNotSupportedError:
        why = "does not let users log in with a password"
    except smtplib.SMTPRecipientsRefused as error:
        why = f"sends no mail to {', '.join(error.recipients)}"
    except smtplib.SMTPResponseException as error:
        why = f"refuses the message ({error.smtp_code})"
    except TimeoutError:
        why = f"does not answer within {SECONDS:.0f} seconds"
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        why = f"can't be used: {type(error).__name__}"
    else:
        return
    # Outside of the block: what the server said may hold what it was told.
    raise NoticeError(f"{_server(chosen)} {why}. {_REMEDY}") from None


def _server(chosen: settings.notices) -> str:
    return f"The mail server {chosen.smtp_host}:{chosen.smtp_port}"
