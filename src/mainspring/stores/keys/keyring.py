"""The keys that encrypt credentials: from the configuration, or from a file that is made at the first use.

The first key of a ring encrypts, all of them decrypt; each is known by the beginning of its hash. The file has a key a
line and is its owner's alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mainspring.core import private_files
from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings

FILE_NAME = "credentials.key"
BYTES = 32
SETTING = "stores.credentials_key"


@dataclass(frozen=True, slots=True)
class Keyring:
    """``keys`` by id, the encrypting one first; ``place`` is their origin."""

    keys: dict[str, bytes]
    place: str

    @property
    def current(self) -> tuple[str, bytes]:
        """(id, key) of the current key, which encrypts."""
        return next(iter(self.keys.items()))


def new_key() -> str:
    """A random key in its written form."""
    return base64.urlsafe_b64encode(secrets.token_bytes(BYTES)).decode()


def path_of(settings: Settings) -> Path:
    """Where the file of keys is."""
    return settings.stores.credentials_key_file or settings.home / FILE_NAME


def keyring(settings: Settings, *, make: bool = False) -> Keyring:
    """The configured keys. ``make``: create the file with a new key if it does not exist.

    Raises ``SettingsError`` for keys that are none, a file that others may read, and one that is not there.
    """
    if configured := settings.stores.credentials_key:
        return _ring([each.strip() for each in configured.split(",")], SETTING)
    path = path_of(settings)
    if make and not path.exists():
        _write(path, [new_key()], replace=False)
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"other users can read the key file {path}", remedy=f"chmod 600 {path}")
        lines = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        remedy = f"Put the file back, or set {SETTING}; `mainspring credentials set` makes a new one"
        raise SettingsError(f"the key file of the credentials {path} is not there", remedy=remedy) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the key file {path} cannot be read: {error}") from None
    return _ring(lines, str(path))


def write(path: Path, keys: Sequence[str]) -> None:
    """Replace the file of keys in one step."""
    _write(path, keys, replace=True)


def read(path: Path) -> list[str]:
    """The keys of a file as they are written."""
    return path.read_text(encoding="ascii").split()


def _ring(written: Sequence[str], place: str) -> Keyring:
    keys = {}
    for number, text in enumerate(written, 1):
        try:
            key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != BYTES:
            remedy = "Make one with `openssl rand -base64 32`"
            raise SettingsError(f"key {number} of {place} is not {BYTES} bytes in base64", remedy=remedy)
        keys[hashlib.sha256(b"mainspring key id\0" + key).hexdigest()[:12]] = key
    if not keys:
        raise SettingsError(f"{place} holds no key", remedy="Make one with `openssl rand -base64 32`")
    return Keyring(keys, place)


def _write(path: Path, keys: Sequence[str], *, replace: bool) -> None:
    private_files.folder(path.parent)
    # The keys are written to another file, which is then renamed: no process reads half a key, and if two processes
    # start together, one of them wins. Mode 0600 from the first byte.
    handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("".join(f"{key}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(made, path)
        else:
            try:
                os.link(made, path)
            except FileExistsError:
                # A key that another process wrote is equally good.
                return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        Path(made).unlink(missing_ok=True)
