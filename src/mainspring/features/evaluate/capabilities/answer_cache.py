"""Answers of earlier runs, by the fingerprint of responder and request, so that none is asked for twice."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.core import private_files


class AnswerCache:
    """A file that several runs share. Only what a responder with a fingerprint says gets in."""

    def __init__(self, path: Path) -> None:
        private_files.folder(path.parent)
        self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, at REAL, answer TEXT)")

    def get(self, key: str) -> Mapping[str, Any] | None:
        row = self._connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, key: str, answer: Mapping[str, Any]) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (key, time.time(), json.dumps(answer))
        )

    def close(self) -> None:
        self._connection.close()
