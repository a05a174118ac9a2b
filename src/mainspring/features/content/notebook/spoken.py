"""A spoken summary: two voices in turn say the sentences of a study."""

from __future__ import annotations

import io
import re
import wave
from collections.abc import Sequence

from mainspring.engines.audio.base import Voice
from mainspring.features.content.notebook.studies import Study

HOST, GUEST = "alloy", "nova"
_PAUSE_S = 0.35


def script(name: str, found: Study, most: int, voices: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of a voice and what it says, within ``most`` characters: the first voice leads through the documents, the
    last one quotes them."""
    host, guest = voices[0], voices[-1]
    count = len(found.sources)
    said = [(host, f"This is what {'a document' if count == 1 else f'{count} documents'} in {_plain(name)} say.")]
    room = most - len(said[0][1])
    for part in found.parts:
        head = f"From {_plain(part.heading)}." if part.heading != "All documents" else "First, all together."
        lines = " ".join(_plain(each.text) for each in part.lines)
        if len(head) + len(lines) > room:
            break
        said += [(host, head), (guest, lines)]
        room -= len(head) + len(lines)
    return said


def _plain(text: str) -> str:
    """``text`` as one says it: a file's name without its ending."""
    return re.sub(r"[_-]+", " ", re.sub(r"\.\w{2,5}$", "", text)) if " " not in text.strip() else text


async def spoken(voice: Voice, lines: Sequence[tuple[str, str]]) -> bytes:
    """The lines as one WAV file, with pauses between them. Raises what ``Voice.speak`` raises."""
    made = io.BytesIO()
    out: wave.Wave_write | None = None
    try:
        for who, text in lines:
            with wave.open(io.BytesIO(await voice.speak(text, who, 1.0))) as piece:
                if out is None:
                    out = wave.open(made, "wb")  # noqa: SIM115 - it is closed below
                    out.setnchannels(piece.getnchannels())
                    out.setsampwidth(piece.getsampwidth())
                    out.setframerate(piece.getframerate())
                out.writeframes(piece.readframes(piece.getnframes()))
                out.writeframes(bytes(int(_PAUSE_S * piece.getframerate()) * piece.getsampwidth()))
    finally:
        if out is not None:
            out.close()
    return made.getvalue()
