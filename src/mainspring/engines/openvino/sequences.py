"""The requests of an OpenVINO child: their sequences, and the output of a running one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mainspring.engines.chat.detokenizer import Streamer
from mainspring.engines.process.protocol import Message


@dataclass(eq=False, slots=True)
class Job:
    """A request and its choices."""

    id: int
    sampling: Message
    prompt: list[int]
    max_tokens: int
    place: int
    priority: int
    choices: int
    shown: list[str] = field(default_factory=list)
    speculate: bool | None = None
    generated: int = 0
    cached: int = 0
    reasons: dict[int, str] = field(default_factory=dict)
    sequences: list[Sequence] = field(default_factory=list)
    waits_for_first: bool = False
    tenant: str = ""
    expected: int = 0


@dataclass(eq=False, slots=True)
class Sequence:
    """One choice (or one beam search) in the line or in the pipeline."""

    job: Job
    choice: int
    width: int
    tokens: int
    streamer: Streamer
    handle: Any = None
    admitted: bool = False
    begun: bool = False
    fixed: bool = False
    reads: int = 0
    since: float = 0.0
    resumed: int = 0
    ids: list[int] = field(default_factory=list)
    speculates: bool = False
    done: bool = False
    unsent: int = 0
    logprobs: list[tuple[str, float]] = field(default_factory=list)
    released: int = 0
    matched: int = 0
    echoes: int = 0
    echoed: list[tuple[str, float]] = field(default_factory=list)

    @property
    def tenant(self) -> str:
        return self.job.tenant

    @property
    def running(self) -> bool:
        """Whether it is in the pipeline; an admitted sequence outside of it is suspended."""
        return self.handle is not None

    @property
    def alone(self) -> bool:
        """Whether it reads a prompt whose log-probabilities are wanted. Beside sequences that write, the runtime tells
        those of other places (2026.4)."""
        return bool(self.job.sampling.get("prompt_logprobs")) and not self.ids


class Rejected(Exception):
    """A request that cannot run; ``kind`` is ``too_long`` or ``invalid``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def drain(handle: Any) -> Iterator[dict[int, Any]]:
    """All that a handle of the pipeline has to be read."""
    while handle.can_read():
        yield handle.read()


def unechoed(sequence: Sequence, output: Any, text: Callable[[int], str]) -> tuple[Any, Any]:
    """The generated tokens of ``output`` and their log-probabilities. Those of the prompt, which come first where they
    are asked for, go into ``sequence.echoed`` with their texts."""
    ids, logprobs = output.generated_ids, output.generated_log_probs
    if not sequence.job.sampling.get("prompt_logprobs"):
        return ids, logprobs
    count = min(len(ids), len(sequence.job.prompt) - sequence.echoes)
    sequence.echoes += count
    sequence.echoed += [(text(ids[place]), logprobs[place]) for place in range(count)]
    return ids[count:], logprobs[count:]


def reason_of(streamer: Streamer, reason: str) -> str:
    """Why a sequence ended: ``length`` (or white space without end), ``stop``, or ``stop:`` and the stop string."""
    if streamer.blank:
        return "length"
    if streamer.closed:
        return "stop"
    if streamer.stopped:
        return f"stop:{streamer.stopped_by}"
    return "stop" if reason == "STOP" else "length"


def release_logprobs(sequence: Sequence, text: str) -> list[tuple[str, float, bool]] | None:
    """Log-probabilities of the tokens whose text is out, and whether each is asked for as the likeliest of its place.

    Tokens of held-back text wait; tokens of a stop string and of the end-of-text token are dropped.
    """
    if sequence.job.sampling["logprobs"] is None:
        return None
    sequence.released += len(text)
    likeliest = sequence.job.sampling["logprobs"] > 0
    out: list[tuple[str, float, bool]] = []
    while sequence.logprobs:
        token, logprob = sequence.logprobs[0]
        if sequence.matched + len(token) > sequence.released:
            break
        sequence.matched += len(token)
        del sequence.logprobs[0]
        if token:
            out.append((token, logprob, likeliest))
    return out
