"""Spoken text in other formats than WAV: by PyAV, which comes with the extra ``audio``."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any, Literal

from mainspring.core.errors import MissingExtra

Sound = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
MEDIA_TYPES: dict[Sound, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
# The container and the codec of each, and the rates that the codec takes (none: any).
_FORMS: dict[str, tuple[str, str, int | None]] = {
    "mp3": ("mp3", "libmp3lame", None),
    "opus": ("ogg", "libopus", 48_000),
    "aac": ("adts", "aac", None),
    "flac": ("flac", "flac", None),
}
_PCM_RATE = 24_000
"""Of OpenAI's ``pcm``: mono, 16 bits, little-endian."""


def encoded(wav: bytes, wanted: Sound) -> bytes:
    """A WAV file in another format. Blocking. Raises ``MissingExtra``."""
    if wanted == "wav":
        return wav
    try:
        # Its types tell a stream of sound from one of pictures at run time alone.
        av: Any = import_module("av")
    except ImportError:
        problem = f"{wanted} needs PyAV, which is not installed"
        raise MissingExtra(problem, remedy="Install mainspring[audio], or send response_format wav") from None
    with av.open(io.BytesIO(wav)) as source:
        if wanted == "pcm":
            resampler = av.AudioResampler(format="s16", layout="mono", rate=_PCM_RATE)
            frames = [each for frame in source.decode(audio=0) for each in resampler.resample(frame)]
            frames += resampler.resample(None)
            return b"".join(frame.to_ndarray().tobytes() for frame in frames)
        container, codec, rate = _FORMS[wanted]
        target = io.BytesIO()
        with av.open(target, "w", format=container) as out:
            stream = out.add_stream(codec, rate=rate or source.streams.audio[0].rate)
            stream.layout = "mono"
            for frame in source.decode(audio=0):
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return target.getvalue()
