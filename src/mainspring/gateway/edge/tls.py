"""The server's TLS: the context of its connections, and the report of ``mainspring doctor`` on its files."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any, Literal

from mainspring.core.errors import SettingsError
from mainspring.core.settings.gateway import TlsSettings

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# Doctor warns this long before a certificate ends.
WARN_DAYS = 21.0
DAY = 86_400.0

Verdict = tuple[Literal["ok", "soon", "wrong"], str]


def context(settings: TlsSettings) -> ssl.SSLContext | None:
    """The context of the server's connections; None without TLS. Raises ``SettingsError``."""
    if settings.certificate is None or settings.key is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = VERSIONS[settings.minimum_version]
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    for name, path in (("certificate", settings.certificate), ("key", settings.key)):
        _readable(f"gateway.tls.{name}", path)
    try:
        # Without a password OpenSSL would ask for one at the terminal, and wait.
        made.load_cert_chain(settings.certificate, settings.key, lambda: settings.password)
    except ssl.SSLError as error:
        raise SettingsError(_explained(settings, error)) from None
    except OSError as error:
        raise SettingsError(f"gateway.tls.key {settings.key} cannot be read: {error.strerror or error}") from None
    return made


def examined(settings: TlsSettings, now: float | None = None) -> Verdict | None:
    """The fault of the files, or the certificate's expiry; None if there are none."""
    try:
        server = context(settings)
    except SettingsError as error:
        return "wrong", str(error)
    if server is None or settings.certificate is None or settings.key is None:
        return None
    loose = settings.key.stat().st_mode & 0o077
    problem, found = _shown(settings.certificate, server)
    if problem:
        return "wrong", f"gateway.tls.certificate {settings.certificate}: {problem}"
    ends = ssl.cert_time_to_seconds(str(found["notAfter"]))
    left = (ends - (time.time() if now is None else now)) / DAY
    names = ", ".join(str(value) for kind, value in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    detail = f"for {names or 'no name: clients will refuse it'}; ends on {found['notAfter']}, in {left:.0f} days"
    if loose:
        return "wrong", f"others may read gateway.tls.key {settings.key}: chmod 600 {settings.key}"
    return ("ok" if left > WARN_DAYS and names else "soon"), detail


def _readable(setting: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise SettingsError(f"{setting} {path} cannot be read: {error.strerror}") from None


def _explained(settings: TlsSettings, error: ssl.SSLError) -> str:
    if "MISMATCH" in (error.reason or ""):
        return f"gateway.tls.key {settings.key} is not the key of {settings.certificate}"
    if settings.key is not None and b"ENCRYPTED" in settings.key.read_bytes():
        return f"gateway.tls.password does not open {settings.key}"
    pair = f"gateway.tls.certificate {settings.certificate} or gateway.tls.key {settings.key}"
    return f"{pair} is not a PEM file of what it should be ({error.reason or error})"


def _shown(certificate: Path, server: ssl.SSLContext) -> tuple[str, dict[str, Any]]:
    """(fault of its dates, the certificate's fields), as a client of this server sees it.

    The standard library shows a certificate only to a client that has verified it, so this module runs a client in
    memory that trusts this certificate alone.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(8):
        for each in (ours, theirs):
            try:
                each.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message, {}
            except ssl.SSLError as error:
                return str(error.reason or error), {}
    return "", dict(ours.getpeercert() or {})
