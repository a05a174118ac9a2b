"""Lines that coding agents themselves put into users' messages, which read like attempts to take a model over.

An agent tells its model in capitals what to heed and what to ignore. Such lines are known by their hashes, and the
detector of words does not count them. It counts whatever stands beside them, so nobody gains by writing one.
"""

from __future__ import annotations

import hashlib

MARK = "<system-reminder>"
LINES = frozenset(
    {
        # Claude Code 2.1: around the date and the notes of a project.
        "0337d96b7aee7ee5",
        "0a90886aa758dcb2",
        "3418261b0b773fa5",
        "3c7862af3b2a3399",
        "8e9092375c38aaf3",
        "d767b78a7be81d8e",
        "58520faa949f6bb5",
    }
)
"""The first 16 hexadecimal digits of the SHA-256 of each line, without the space around it."""


VERSION = hashlib.sha256(" ".join(sorted(LINES)).encode()).hexdigest()[:8]
"""Part of what a text was guarded by."""


def without(text: str) -> str:
    """``text`` without such lines."""
    if MARK not in text:
        return text
    return "\n".join(line for line in text.splitlines() if digest(line) not in LINES)


def digest(line: str) -> str:
    """The hash of a line."""
    return hashlib.sha256(line.strip().encode("utf-8", "replace")).hexdigest()[:16]
