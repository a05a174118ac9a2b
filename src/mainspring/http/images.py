"""Pictures in messages, incoming and outgoing. This server fetches none: a remote model gets the URL as it came."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import PICTURE, Image, Message

_DATA = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,", re.IGNORECASE)
_BEGINS = {
    "image/png": b"\x89PNG",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
_DETAILS = ("", "auto", "low", "high", "original")
MOST = 20
"""Pictures in a message."""
MAX_URL = 8_192


class Parts:
    """Collects the parts of a message: its text, with a ``PICTURE`` for each picture."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self.images: list[Image] = []

    def text(self, text: str) -> None:
        # Else a sender could move pictures within the text.
        self._texts.append(text.replace(PICTURE, "") if PICTURE in text else text)

    def image(self, url: Any, detail: Any, param: str) -> None:
        """Raises ``InvalidRequest`` naming ``param``."""
        if len(self.images) >= MOST:
            raise InvalidRequest(f"{param}: a message may have at most {MOST} images", param=param)
        self.images.append(image(url, detail, param))
        self._texts.append(PICTURE)

    @property
    def content(self) -> str:
        return "".join(self._texts)


def image(url: Any, detail: Any, param: str) -> Image:
    """A picture at an ``https:`` URL, or within a ``data:`` URL. Raises ``InvalidRequest`` naming ``param``."""
    if not isinstance(url, str) or not url:
        raise InvalidRequest(f"{param} has no image URL", param=param)
    detail = "" if detail is None else detail
    if detail not in _DETAILS:
        raise InvalidRequest(
            f"{param} has an unknown value of detail", remedy=f"Use {', '.join(_DETAILS[1:])}", param=param
        )
    if url[:5].lower() == "data:":
        _check_data(url, param)
    elif url[:8].lower() != "https://" or len(url) > MAX_URL:
        raise InvalidRequest(
            f"{param} is not an https: URL of at most {MAX_URL} characters",
            remedy="Send the image itself: data:image/png;base64,...",
            param=param,
        )
    return Image(url, detail)


def refuse_file(param: str) -> Unsupported:
    """The error for a picture that was uploaded as a file."""
    return Unsupported(
        f"{param} is an uploaded file, which no model here is sent", remedy="Send it as a data: URL", param=param
    )


def input_parts(message: Message) -> list[dict[str, Any]]:
    """The parts of a message of a user as the Responses API shows them."""
    return [
        {"type": "input_text", "text": piece}
        if isinstance(piece, str)
        else {"type": "input_image", "image_url": piece.url, "file_id": None, "detail": piece.detail or "auto"}
        for piece in message.pieces
    ]


def chat_content(message: Message) -> str | list[dict[str, Any]]:
    """A message's content as the Chat Completions API shows it: text, or parts if there are pictures."""
    if not message.images:
        return message.content
    return [
        {"type": "text", "text": piece}
        if isinstance(piece, str)
        else {"type": "image_url", "image_url": {"url": piece.url, "detail": piece.detail or "auto"}}
        for piece in message.pieces
    ]


def _check_data(url: str, param: str) -> None:
    head = _DATA.match(url)
    if head is None:
        raise InvalidRequest(
            f"{param} is not an image in a supported format",
            remedy="Send data:image/png;base64,..., or jpeg, gif or webp",
            param=param,
        )
    try:
        begins = base64.b64decode(url[head.end() :], validate=True)[:4]
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{param} is not valid base64", param=param) from None
    kind = head[1].lower()
    if not begins.startswith(_BEGINS[kind]):
        raise InvalidRequest(f"{param} is not a {kind} image: its first bytes do not match", param=param)
