"""The place of the sockets of engine children."""

from __future__ import annotations

import os
import tempfile

LONGEST = 100
"""Bytes in the path of a socket: Linux has room for 107, others for 103."""


def folder(name: str) -> tuple[tempfile.TemporaryDirectory[str], str]:
    """A new folder for the socket ``name``, and the path of that: under ``TMPDIR``, or if that is too long for a
    socket, under ``/tmp``."""
    made = tempfile.TemporaryDirectory(prefix="mainspring-", ignore_cleanup_errors=True)
    if len(os.fsencode(made.name)) + 1 + len(name) > LONGEST:
        made.cleanup()
        made = tempfile.TemporaryDirectory(prefix="mainspring-", ignore_cleanup_errors=True, dir="/tmp")
    return made, os.path.join(made.name, name)
