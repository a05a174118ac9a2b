"""A voice by the program ``espeak-ng``, where it is installed. It is asked as a program: its licence is the GPL."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil

from mainspring.core.errors import EngineDied, InvalidRequest, MissingExtra
from mainspring.core.settings import Settings
from mainspring.core.settings.audio import AudioSettings

PROGRAM = "espeak-ng"
USUAL_WORDS_A_MINUTE = 175
# OpenAI's voices, as variants of one; any other name is a voice of the program's own.
OPENAI = {
    "alloy": "en-us",
    "ash": "en-us+m1",
    "ballad": "en-gb+m2",
    "cedar": "en-us+m3",
    "coral": "en-us+f1",
    "echo": "en-us+m4",
    "fable": "en-gb",
    "marin": "en-us+f2",
    "nova": "en-us+f3",
    "onyx": "en-us+m5",
    "sage": "en-us+f4",
    "shimmer": "en-us+f5",
    "verse": "en-us+m6",
}
_NAME = re.compile(r"[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,16})*(\+[a-zA-Z0-9]{1,16})?")


class Espeak:
    """One process for each text."""

    name = PROGRAM

    def __init__(self, _: Settings, audio: AudioSettings) -> None:
        self._timeout_s = audio.timeout_s

    async def speak(self, text: str, voice: str, speed: float) -> bytes:
        """See ``Voice``."""
        program = shutil.which(PROGRAM)
        if program is None:
            raise MissingExtra(
                "no voice is installed",
                remedy=f"Install {PROGRAM} (apt-get install {PROGRAM}), or name a plugin's voice",
            )
        chosen = OPENAI.get(voice, voice)
        if not _NAME.fullmatch(chosen):
            raise _no_voice(voice)
        words = round(USUAL_WORDS_A_MINUTE * speed)
        process = await asyncio.create_subprocess_exec(
            *(program, "--stdin", "--stdout", "-b", "1", "-v", chosen, "-s", str(words)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                data, said = await process.communicate(text.encode("utf-8", "replace"))
        except TimeoutError:
            raise EngineDied(f"{PROGRAM} took too long", remedy="Send less, or raise audio.timeout_s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode or not data:
            if b"voice" in said:
                raise _no_voice(voice)
            raise EngineDied(f"{PROGRAM} ended with {process.returncode}", remedy="See that it speaks on its own")
        return _whole(data)


def _no_voice(voice: str) -> InvalidRequest:
    remedy = f"Use one of {', '.join(OPENAI)}, or a name of `{PROGRAM} --voices`"
    return InvalidRequest(f"there is no voice {voice[:64]!r}", remedy=remedy, param="voice")


def _whole(data: bytes) -> bytes:
    """The WAV file with its lengths: a program that writes to a pipe does not know them at the beginning."""
    place = data.find(b"data", 12)
    if data[:4] != b"RIFF" or place < 0:
        raise EngineDied(f"{PROGRAM} wrote no WAV file", remedy="See that it speaks on its own")
    sound = data[place + 8 :]
    head = data[:4] + (place + len(sound)).to_bytes(4, "little") + data[8 : place + 4]
    return head + len(sound).to_bytes(4, "little") + sound
