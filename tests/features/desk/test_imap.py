"""Mail that is fetched by IMAP over TLS: from a server that fails as it is told, and from Dovecot where it is there."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import os
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.desk.channels import post
from mainspring.stores import Stores
from tests.features.desk.test_channels import letter, office, rounds
from tests.gateway.edge.test_tls import signed

DOVECOT = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


class Folder:
    """An IMAP server of one folder. ``fails`` are commands that it answers with NO."""

    def __init__(self) -> None:
        self.mails: list[tuple[bytes, set[str]]] = []
        self.fails: set[str] = set()
        self.said: list[str] = []
        self.port = 0

    def put(self, mail: bytes) -> None:
        self.mails.append((mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), set()))

    def answer(self, command: str, rest: str) -> tuple[bytes, str]:
        """Untagged data, and how it ends."""
        if command in self.fails:
            return b"", f"NO {command} is not available now"
        match command:
            case "CAPABILITY":
                return b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "OK done"
            case "LOGIN":
                return b"", "OK done" if rest == 'help "a \\"word\\""' else "NO wrong password"
            case "SELECT":
                known = rest == '"Kund&APw- Post"'
                return b"* %d EXISTS\r\n" % len(self.mails), "OK [READ-WRITE] open" if known else "NO no such folder"
            case "SEARCH":
                new = [str(at) for at, (_, flags) in enumerate(self.mails, 1) if "\\Seen" not in flags]
                return f"* SEARCH {' '.join(new)}\r\n".encode(), "OK done"
            case "FETCH":
                at = int(rest.split()[0])
                data = self.mails[at - 1][0]
                return b"* %d FETCH (BODY[]<0> {%d}\r\n%b)\r\n" % (at, len(data), data), "OK done"
            case "STORE":
                at, flags = int(rest.split()[0]), re.findall(r"\\\w+", rest)
                self.mails[at - 1][1].update(flags)
                return b"* %d FETCH (FLAGS (%b))\r\n" % (at, " ".join(flags).encode()), "OK done"
            case "LOGOUT":
                return b"* BYE\r\n", "OK done"
        return b"", "BAD what is that?"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """The server, with a certificate of an authority that this process trusts."""
    kept, settings = Folder(), signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(str(settings.certificate), str(settings.key))
    monkeypatch.setenv("SSL_CERT_FILE", str(settings.certificate))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK here\r\n")
            for line in self.rfile:
                tag, command, rest = (*line.decode().rstrip("\r\n").split(" ", 2), "")[:3]
                kept.said.append(command)
                data, end = kept.answer(command, rest)
                self.wfile.write(data + f"{tag} {end}\r\n".encode())
                if command == "LOGOUT":
                    return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def get_request(self) -> Any:
            found, address = super().get_request()
            return tls.wrap_socket(found, server_side=True), address

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who does not trust it goes away."""

    server = Server(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kept
    server.shutdown()
    server.server_close()


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def box(folder: Folder, **more: Any) -> dict[str, Any]:
    place = {"imap_host": "127.0.0.1", "imap_port": folder.port, "imap_user": "help"}
    return {**place, "imap_password": 'a "word"', "imap_folder": "Kundü Post", **more}


async def test_unseen_mail_is_taken_over_tls_answered_once_and_marked_as_read(opened: Stores, folder: Folder) -> None:
    folder.put(bytes(letter()))
    folder.put(b"no mail at all")
    desk, agent = office(opened, email=box(folder))
    assert await desk.channels._post.poll(desk.channels.receive_mail) == 2
    assert [flags for _, flags in folder.mails] == [{"\\Seen"}, {"\\Seen", "\\Flagged"}]
    assert await desk.channels._post.poll(desk.channels.receive_mail) == 0
    await rounds(desk)
    assert len(agent.asked) == 1
    assert folder.said.count("LOGOUT") == 2


async def test_a_server_that_nobody_vouches_for_gets_no_password(
    opened: Stores, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    desk, _ = office(opened, email=box(folder))
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await desk.channels._post.poll(desk.channels.receive_mail)
    assert folder.said == []


@pytest.mark.parametrize("command", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE"])
async def test_what_a_server_does_not_do_loses_no_mail(opened: Stores, folder: Folder, command: str) -> None:
    folder.put(bytes(letter()))
    folder.fails = {command}
    desk, agent = office(opened, email=box(folder))
    with pytest.raises(OSError, match=f"{command} is not available now"):
        await desk.channels._post.poll(desk.channels.receive_mail)
    assert folder.mails[0][1] == set()
    folder.fails = set()
    assert await desk.channels._post.poll(desk.channels.receive_mail) == 1
    await rounds(desk)
    assert len(agent.asked) == 1


async def test_a_folder_that_is_not_there_is_named(opened: Stores, folder: Folder) -> None:
    desk, _ = office(opened, email=box(folder, imap_folder="Other"))
    with pytest.raises(OSError, match="the folder 'Other' does not open: no such folder"):
        await desk.channels._post.poll(desk.channels.receive_mail)


@pytest.mark.parametrize(
    ("name", "sent"),
    [("INBOX", '"INBOX"'), ('a "b"\\', '"a \\"b\\"\\\\"'), ("A&B", '"A&-B"'), ("Entwürfe", '"Entw&APw-rfe"')],
)
def test_names_of_folders_are_sent_as_the_protocol_wants_them(name: str, sent: str) -> None:
    assert post._folder(name) == sent


@pytest.mark.slow
@pytest.mark.skipif(not DOVECOT or os.getuid() != 0, reason="needs Dovecot (apt install dovecot-imapd), and root")
async def test_mail_is_fetched_from_dovecot(opened: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Its processes have users of their own, who do not enter the folders of these tests.
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        place = Path(name)
        place.chmod(0o777)
        with _running(_dovecot(place, port, tls.certificate, tls.key)):
            await _fetched(opened, port)


async def _fetched(opened: Stores, port: int) -> None:
    with await asyncio.to_thread(_ready, port) as client:
        # The password has other letters than ASCII: LOGIN cannot send them.
        client.authenticate("PLAIN", lambda _: "\0help\0pässwort".encode())
        client.create(post._folder("Kundü Post"))
        client.append(post._folder("Kundü Post"), None, None, bytes(letter()))
    more = {"imap_host": "127.0.0.1", "imap_port": port, "imap_user": "help", "imap_password": "pässwort"}
    desk, agent = office(opened, email={**more, "imap_folder": "Kundü Post"})
    assert await desk.channels._post.poll(desk.channels.receive_mail) == 1
    assert await desk.channels._post.poll(desk.channels.receive_mail) == 0
    await rounds(desk)
    assert len(agent.asked) == 1


@contextlib.contextmanager
def _running(configuration: Path) -> Iterator[None]:
    process = subprocess.Popen([str(DOVECOT), "-F", "-c", str(configuration)])
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def _ready(port: int) -> imaplib.IMAP4_SSL:
    until = time.monotonic() + 20
    while True:
        try:
            return imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=ssl.create_default_context())
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _dovecot(place: Path, port: int, certificate: Any, key: Any) -> Path:
    """A configuration of Dovecot 2.4 of one user."""
    (place / "passwd").write_text(f"help:{{PLAIN}}pässwort:65534:65534::{place}/home\n", encoding="utf-8")
    written = f"""
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
protocols {{
  imap = yes
}}
listen = 127.0.0.1
ssl = required
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
first_valid_uid = 1
mail_uid = 65534
mail_gid = 65534
mail_driver = maildir
mail_path = {place}/mail
passdb passwd-file {{
  passwd_file_path = {place}/passwd
}}
userdb passwd-file {{
  passwd_file_path = {place}/passwd
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""
    found = place / "dovecot.conf"
    found.write_text(written, encoding="utf-8")
    return found
