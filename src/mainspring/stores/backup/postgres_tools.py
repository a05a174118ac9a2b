"""Postgres' own programs that write and read dumps, of the server's version or the next newer one.

The password is in a file that only its owner reads, never in the list of processes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import sqlalchemy as sa

from mainspring.core.errors import StoreError

# Debian keeps each version's programs apart.
_PLACES = Path("/usr/lib/postgresql")


def run(name: str, version: int, url: sa.URL, *options: str, folder: Path) -> None:
    """Run ``pg_dump`` or ``pg_restore`` of at least this major version on the database at ``url``.

    Raises ``StoreError`` with the program's output. ``folder`` takes the password for as long as it runs.
    """
    program = _find(name, version)
    secret = folder / ".pgpass"
    secret.touch(mode=0o600)
    try:
        secret.write_text(f"*:*:*:*:{_escaped(url.password or '')}\n", encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - the program is fixed, and the address is one argument
            [program, f"--dbname={address(url, secret)}", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        secret.unlink(missing_ok=True)
    if done.returncode:
        said = done.stderr.strip()
        # The error comes first; a statement of any length may follow.
        said = said if len(said) <= 1000 else f"{said[:700]} ... {said[-300:]}"
        raise StoreError(f"{name} failed: {said}", remedy="Read its message")


def address(url: sa.URL, passwords: Path | None = None) -> str:
    """The database's address as Postgres' own programs read it, without the password."""
    query = {("sslmode" if name == "ssl" else name): value for name, value in url.query.items()}
    if passwords is not None:
        query["passfile"] = str(passwords)
    plain = url.set(drivername="postgresql", query=query)
    return sa.URL.create(
        plain.drivername, plain.username, None, plain.host, plain.port, plain.database, plain.query
    ).render_as_string()


def _find(name: str, version: int) -> str:
    found: list[tuple[int, str]] = []
    for candidate in [shutil.which(name), *map(str, _PLACES.glob(f"*/bin/{name}"))]:
        if candidate is not None and (theirs := _version(candidate)) >= version:
            found.append((theirs, candidate))
    if not found:
        raise StoreError(
            f"there is no {name} of Postgres {version} or newer on this machine",
            remedy=f"Install the client programs of Postgres (Debian: postgresql-client-{version})",
        )
    return min(found)[1]


def _version(program: str) -> int:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return 0
    number = re.search(r"(\d+)", said.stdout)
    return int(number[1]) if number else 0


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")
