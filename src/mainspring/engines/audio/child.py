"""The process that hears: reads one recording after the other from standard input, within a bound on memory.

Run as ``python -m mainspring.engines.audio.child MODEL MEMORY_MB THREADS MAX_SECONDS``. Decoders read bytes of
strangers; here they can take nothing of the server's along.
"""

from __future__ import annotations

import io
import sys
from typing import Any, BinaryIO

from mainspring.engines.audio.frames import packed, read

RATE = 16_000
_MEASURES = ("tokens", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob")


def main() -> None:
    model, memory_mb, threads, max_seconds = sys.argv[1], *map(int, sys.argv[2:5])
    _bound(memory_mb)
    answers = sys.stdout.buffer
    # What libraries print must not come between the messages.
    sys.stdout = sys.stderr
    from faster_whisper import WhisperModel

    serve(WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads), answers, max_seconds)


def serve(model: Any, answers: BinaryIO, max_seconds: int) -> None:
    """Answer requests until the input ends."""
    requests = sys.stdin.buffer
    answers.write(packed({"multilingual": bool(model.model.is_multilingual)}))
    answers.flush()
    while (asked := read(requests)) is not None:
        data = requests.read(asked.pop("bytes"))
        try:
            for message in heard(model, data, max_seconds, **asked):
                answers.write(packed(message))
                answers.flush()
            answers.write(packed({"end": True}))
        except _Unreadable as error:
            answers.write(packed({"unreadable": str(error)}))
        answers.flush()


class _Unreadable(Exception):
    """The recording is none, or too long."""


def heard(model: Any, data: bytes, max_seconds: int, **asked: Any) -> Any:
    """Messages about one recording: what was heard, then its segments."""
    from faster_whisper import decode_audio

    try:
        samples = decode_audio(io.BytesIO(data), sampling_rate=RATE)
    except (ValueError, OSError, RuntimeError, IndexError) as error:
        raise _Unreadable(f"it is not audio that can be read ({type(error).__name__})") from error
    seconds = len(samples) / RATE
    if not len(samples):
        raise _Unreadable("it has no sound")
    if seconds > max_seconds:
        raise _Unreadable(f"it is {seconds:.0f} seconds long, but at most {max_seconds} are allowed")
    segments, info = model.transcribe(
        samples,
        language=asked["language"] or None,
        task="translate" if asked["translate"] else "transcribe",
        initial_prompt=asked["prompt"] or None,
        # 0 alone would be tried again at higher temperatures where it repeats itself, which is the model's own way.
        temperature=asked["temperature"] or (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        word_timestamps=asked["words"],
        vad_filter=asked["quiet"],
        condition_on_previous_text=False,
    )
    yield {"language": info.language, "duration": seconds}
    for number, each in enumerate(segments):
        words = [{"word": word.word.strip(), "start": word.start, "end": word.end} for word in each.words or ()]
        measures = {name: getattr(each, name) for name in _MEASURES}
        place = {"id": number, "seek": each.seek, "start": each.start, "end": each.end}
        yield {"segment": {**place, "text": each.text, **measures, "words": words}}


def _bound(memory_mb: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 2**20, memory_mb * 2**20))


if __name__ == "__main__":
    main()
