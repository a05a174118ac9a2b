"""The parts of a message's content in OpenAI's two forms: of chats and of responses."""

from __future__ import annotations

from mainspring.core.errors import Unsupported
from mainspring.http.bodies import ContentPart
from mainspring.http.images import Parts, refuse_file

TEXTS = ("input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text")
_PICTURES = ("image_url", "input_image")


def add_part(parts: Parts, part: ContentPart, place: str, index: int, *, pictures: bool) -> None:
    """Add ``part``, the one numbered ``index`` of the content at ``place``. ``pictures``: it may be one.

    Raises ``InvalidRequest`` and ``Unsupported`` naming ``place``.
    """
    if part.type in TEXTS:
        parts.text(part.text or part.refusal or "")
        return
    if part.type not in _PICTURES or not pictures:
        read = "text and pictures are read" if pictures else "only text is read"
        raise Unsupported(
            f"{place} has a part of type {part.type!r}; {read}",
            remedy="Send its text, or upload the document to a vector store and search that",
            param=place,
        )
    if part.file_id is not None:
        raise refuse_file(f"{place}[{index}].file_id")
    found = part.image_url if isinstance(part.image_url, dict) else {"url": part.image_url, "detail": part.detail}
    parts.image(found.get("url"), found.get("detail"), f"{place}[{index}].image_url")
