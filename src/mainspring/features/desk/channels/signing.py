"""Signatures of webhooks, in the manner of Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

from mainspring.core.errors import Unauthenticated

WINDOW_S = 300.0


def signed(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    """The headers of a message."""
    at = str(int(time.time()))
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": _signature(secret, message_id, at, body),
    }


def stated(headers: Mapping[str, str]) -> tuple[str, str, list[str]]:
    """The id of a message, its time, and its signatures, as it states them. Raises ``Unauthenticated``."""
    message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    if not message_id or len(message_id) > 256 or not at.isdecimal() or len(at) > 12 or not given:
        raise _refused()
    return message_id, at, given[:8]


def check(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """The id of a message that is signed with ``secret`` and not older, or newer, than five minutes. Raises
    ``Unauthenticated``."""
    message_id, at, given = stated(headers)
    expected = _signature(secret, message_id, at, body)
    if not any(hmac.compare_digest(expected.encode(), each.encode("utf-8", "replace")) for each in given):
        raise _refused()
    if abs(time.time() - int(at)) > WINDOW_S:
        raise Unauthenticated("the message is too old", remedy="Sign it with the present time")
    return message_id


def _signature(secret: str, message_id: str, at: str, body: bytes) -> str:
    digest = hmac.new(secret.encode(), f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _refused() -> Unauthenticated:
    return Unauthenticated(
        "the message is not signed as this webhook's", remedy="Send webhook-id, webhook-timestamp, webhook-signature"
    )
