"""The server's own TLS: connections, the oldest permitted version, and the errors for wrong files."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mainspring.core.errors import SettingsError
from mainspring.core.settings import GatewaySettings, load
from mainspring.core.settings.gateway import TlsSettings
from mainspring.core.types import Finish, Text
from mainspring.gateway.edge import tls
from mainspring.gateway.edge.server import serving
from tests.gateway.asgi import gateway
from tests.gateway.edge.test_connection import WHOLE, Wire
from tests.serving.house import Recited

DAY = 86_400


def signed(folder: Path, *, days: float = 90, password: bytes = b"", since_days: float = 1) -> TlsSettings:
    """A certificate for 127.0.0.1, signed with its own key, that ends ``days`` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mainspring test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=since_days))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    certificate, private = folder / f"{days}.crt", folder / f"{days}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
    private.chmod(0o600)
    return TlsSettings(certificate=certificate, key=private)


async def test_it_serves_over_tls_and_says_so_to_browsers(tmp_path: Path) -> None:
    settings = GatewaySettings(port=0, read_timeout_s=0.6, tls=signed(tmp_path))
    assert settings.tls.certificate is not None
    client = ssl.create_default_context(cafile=str(settings.tls.certificate))
    app = gateway(Recited(Text("Hello"), Finish("stop")), tls=settings.tls)
    async with serving(app, settings) as (server, url):
        assert url.startswith("https://127.0.0.1:")
        port = int(url.rpartition(":")[2])
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port, ssl=client))
        await wire.send(WHOLE)
        status, headers, body = await wire.answer()
        assert (status, headers["strict-transport-security"]) == (200, "max-age=31536000")
        assert json.loads(body)["choices"][0]["message"]["content"] == "Hello"
        wire.writer.close()
        # Who does not speak it, or an older one, gets nothing.
        plain = Wire(*await asyncio.open_connection("127.0.0.1", port))
        await plain.send(WHOLE)
        assert b"Hello" not in await plain.rest()
        plain.writer.close()
        server.should_exit = True


async def test_who_does_not_begin_is_cut_off_and_keeps_nobody_out(tmp_path: Path) -> None:
    settings = GatewaySettings(port=0, read_timeout_s=0.6, tls=signed(tmp_path))
    client = ssl.create_default_context(cafile=str(settings.tls.certificate))
    async with serving(gateway(Recited(Text("Hello"), Finish("stop"))), settings) as (server, url):
        port = int(url.rpartition(":")[2])
        slow = [Wire(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(50)]
        for number, each in enumerate(slow):
            # Nothing, or the beginning of a greeting.
            await each.send(b"\x16\x03\x01\x02" if number % 2 else b"")
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port, ssl=client))
        await wire.send(WHOLE)
        assert (await wire.answer())[0] == 200
        for each in slow:
            assert await each.rest() == b""
            each.writer.close()
        wire.writer.close()
        server.should_exit = True


@pytest.mark.parametrize(("oldest", "offered", "works"), [("1.2", "1.2", True), ("1.3", "1.2", False)])
async def test_the_oldest_version_is_a_setting(tmp_path: Path, oldest: str, offered: str, works: bool) -> None:
    chosen = signed(tmp_path).model_copy(update={"minimum_version": oldest})
    client = ssl.create_default_context(cafile=str(chosen.certificate))
    client.maximum_version = tls.VERSIONS[offered]
    settings = GatewaySettings(port=0, tls=chosen)
    async with serving(gateway(Recited(Text("Hello"), Finish("stop"))), settings) as (server, url):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), ssl=client)
            writer.close()
            connected = True
        except (ssl.SSLError, ConnectionError):
            connected = False
        server.should_exit = True
    assert connected is works


def test_a_good_certificate_is_reported_with_its_end(tmp_path: Path) -> None:
    verdict = tls.examined(signed(tmp_path))
    assert verdict is not None
    assert verdict[0] == "ok"
    assert "for 127.0.0.1; ends on" in verdict[1]
    assert "in 90 days" in verdict[1]
    assert tls.examined(TlsSettings()) is None


def test_one_that_ends_soon_has_ended_or_has_not_begun_is_reported(tmp_path: Path) -> None:
    chosen = signed(tmp_path)
    soon = tls.examined(chosen, now=time.time() + 80 * DAY)
    assert soon is not None
    assert soon[0] == "soon"
    for days, since, said in ((-1, 30, "expired"), (50, -10, "not yet valid")):
        verdict = tls.examined(signed(tmp_path, days=days, since_days=since))
        assert verdict is not None
        assert verdict[0] == "wrong"
        assert said in verdict[1]


def test_files_that_are_wrong_are_named(tmp_path: Path) -> None:
    one, other = signed(tmp_path, days=10), signed(tmp_path, days=20)
    junk = tmp_path / "junk"
    junk.write_text("nothing")
    gone = tmp_path / "gone"
    for changes, said in (
        ({"key": other.key}, "is not the key of"),
        ({"certificate": junk}, "not a PEM file"),
        ({"key": junk}, "not a PEM file"),
        ({"certificate": gone}, f"gateway.tls.certificate {gone} cannot be read"),
        ({"key": gone}, f"gateway.tls.key {gone} cannot be read"),
    ):
        broken = one.model_copy(update=changes)
        with pytest.raises(SettingsError, match=said):
            tls.context(broken)
        verdict = tls.examined(broken)
        assert verdict is not None
        assert verdict[0] == "wrong"
    assert one.key is not None
    one.key.chmod(0o644)
    verdict = tls.examined(one)
    assert verdict is not None
    assert verdict[0] == "wrong"
    assert "chmod 600" in verdict[1]


def test_a_password_opens_the_key(tmp_path: Path) -> None:
    chosen = signed(tmp_path, password=b"open sesame")
    assert tls.context(chosen.model_copy(update={"password": "open sesame"}))
    for wrong in ("", "closed"):
        with pytest.raises(SettingsError, match=r"gateway\.tls\.password does not open"):
            tls.context(chosen.model_copy(update={"password": wrong}))


def test_one_file_is_not_enough() -> None:
    with pytest.raises(SettingsError, match="both certificate and key"):
        load(environment={"MAINSPRING_GATEWAY__TLS__CERTIFICATE": "/tmp/x.pem"})
