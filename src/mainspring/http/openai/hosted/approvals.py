"""Approvals of calls of MCP servers as messages: the request is a call of the assistant under the id of its item, the
decision is the result of that call."""

from __future__ import annotations

import hashlib
import re

import orjson

REQUEST = "mcpr_"
"""How the ids of approval requests begin."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
_MOST = 64


def called(server: str, name: str) -> str:
    """The name under which a model knows the tool ``name`` of the server with this label."""
    whole = f"{_OTHER.sub('_', server)}__{_OTHER.sub('_', name)}"
    if len(whole) <= _MOST:
        return whole
    return f"{whole[: _MOST - 9]}_{hashlib.sha256(f'{server}/{name}'.encode()).hexdigest()[:8]}"


def decision(*, approve: bool, reason: str = "") -> str:
    """A decision as the result of its call."""
    return orjson.dumps({"approve": approve, "reason": reason}).decode()


def decided(content: str) -> tuple[bool, str]:
    """Whether it was approved, and the reason. What is no decision approves nothing."""
    try:
        found = orjson.loads(content)
    except ValueError:
        return False, ""
    return (found.get("approve") is True, str(found.get("reason") or "")) if isinstance(found, dict) else (False, "")
