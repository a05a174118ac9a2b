"""What was heard, in OpenAI's formats: JSON, plain text, subtitles, and events of a stream."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from mainspring.engines.audio.base import Heard, SpokenSegment

# The names of languages as the detailed format has them; others keep their codes.
LANGUAGES = {
    "ar": "arabic",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "he": "hebrew",
    "hi": "hindi",
    "hu": "hungarian",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "th": "thai",
    "tr": "turkish",
    "uk": "ukrainian",
    "vi": "vietnamese",
    "zh": "chinese",
}


def whole_text(segments: Sequence[SpokenSegment]) -> str:
    return "".join(each.text for each in segments).strip()


def usage(heard: Heard) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(heard.duration)}


def plain(heard: Heard, segments: Sequence[SpokenSegment]) -> dict[str, Any]:
    """``json``."""
    return {"text": whole_text(segments), "usage": usage(heard)}


def verbose(heard: Heard, segments: Sequence[SpokenSegment], task: str, wanted: Sequence[str]) -> dict[str, Any]:
    """``verbose_json``, with the granularities that are wanted (none: segments)."""
    body: dict[str, Any] = {
        "task": task,
        "language": LANGUAGES.get(heard.language, heard.language),
        "duration": round(heard.duration, 3),
        "text": whole_text(segments),
        "usage": usage(heard),
    }
    if "word" in wanted:
        words = [word for each in segments for word in each.words]
        body["words"] = [_times(dataclasses.asdict(word)) for word in words]
    if "segment" in wanted or not wanted:
        body["segments"] = [_segment(each) for each in segments]
    return body


def srt(segments: Sequence[SpokenSegment]) -> str:
    """SubRip."""
    rows = [
        f"{number}\n{_clock(each.start, ',')} --> {_clock(each.end, ',')}\n{each.text.strip()}\n"
        for number, each in enumerate(segments, 1)
    ]
    return "\n".join(rows)


def vtt(segments: Sequence[SpokenSegment]) -> str:
    """WebVTT."""
    rows = [f"{_clock(each.start, '.')} --> {_clock(each.end, '.')}\n{each.text.strip()}\n" for each in segments]
    return "\n".join(["WEBVTT\n", *rows])


def delta(segment: SpokenSegment, *, first: bool) -> dict[str, Any]:
    """An event of a stream."""
    return {"type": "transcript.text.delta", "delta": segment.text.lstrip() if first else segment.text}


def done(heard: Heard, segments: Sequence[SpokenSegment]) -> dict[str, Any]:
    """The last event of a stream."""
    return {"type": "transcript.text.done", "text": whole_text(segments), "usage": usage(heard)}


def _segment(segment: SpokenSegment) -> dict[str, Any]:
    body = dataclasses.asdict(segment)
    del body["words"]
    return _times(body)


def _times(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "start": round(body["start"], 3), "end": round(body["end"], 3)}


def _clock(seconds: float, point: str) -> str:
    whole, parts = divmod(round(seconds * 1000), 1000)
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{left:02}{point}{parts:03}"
