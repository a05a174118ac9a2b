"""A pytest plugin for A2A's compatibility kit: its clients send no key, so each gets the server's."""

from __future__ import annotations

import os
from typing import Any

import httpx

_made = httpx.Client.__init__


def _with_key(self: httpx.Client, *given: Any, headers: Any = None, **named: Any) -> None:
    key = {"authorization": f"Bearer {os.environ['CLIENTS_KEY']}"}
    _made(self, *given, headers={**(headers or {}), **key}, **named)


httpx.Client.__init__ = _with_key  # type: ignore[method-assign]
