"""The log line of each request: the caller and the model, usage, cost and findings, but no text.

Prompts and answers are written as keyed hashes: equal texts have equal hashes, and nobody can guess a text without the
key. With ``telemetry.log_prompts`` they are also written as text, in the form that the guards let pass.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core import cards, private_files
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.settings import TelemetrySettings
from mainspring.core.types import ChatRequest, CompletionRequest, Context, EventRecord, Head, Request, RerankRequest
from mainspring.telemetry.logs import REQUESTS, extra

_log = logging.getLogger(REQUESTS)
_NANO = 1e-9
_MOST_DOCUMENTS = 50


@dataclass(slots=True)
class Outcome:
    """How a request ended. Times in seconds; ``code`` is "" for success, ``status`` that of an error."""

    operation: str
    duration_s: float = 0.0
    ttft_s: float | None = None
    code: str = ""
    status: int = 200
    head: Head | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    texts: list[str] = field(default_factory=list)


class Journal:
    """Writes the lines. ``redact`` removes from texts what must not be read."""

    def __init__(self, settings: TelemetrySettings, key: bytes, redact: Callable[[str], str] = str) -> None:
        self._prompts = settings.log_prompts
        self._key = key
        self._redact = redact

    @property
    def wanted(self) -> bool:
        """Whether anything reads the lines."""
        return _log.isEnabledFor(logging.INFO) and _log.hasHandlers()

    def request(self, request: Request, context: Context, outcome: Outcome) -> None:
        """One request is over."""
        level = logging.ERROR if outcome.status >= 500 else logging.WARNING if outcome.status >= 400 else logging.INFO
        prompt, answer = asked(request), "".join(outcome.texts)
        fields: dict[str, Any] = {
            "operation": outcome.operation,
            "model": request.model,
            "key_id": context.principal.key_id,
            "code": outcome.code or "ok",
            "duration_ms": round(1e3 * outcome.duration_s, 1),
            "ttft_ms": None if outcome.ttft_s is None else round(1e3 * outcome.ttft_s, 1),
            "input_tokens": outcome.input_tokens,
            "output_tokens": outcome.output_tokens,
            "cost_usd": round(context.allowance.spent.cost_nanousd * _NANO, 9),
            "prompt_hash": self.digest(prompt),
            "answer_hash": self.digest(answer) if answer else None,
            **noted(context.settlement.records.all),
        }
        if (head := outcome.head) is not None:
            fields |= {"answered_by": head.model, "answer_id": head.answer_id, "cache": head.cache}
        user = getattr(request, "user", None)
        fields["user_hash"] = self.digest(user) if user else None
        if self._prompts:
            fields |= {"asked": self._shown(prompt), "answered": self._shown(answer)}
        _log.log(level, "request", extra=extra(context, **fields))

    def digest(self, text: str) -> str:
        """The keyed hash of ``text``."""
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key).hexdigest()

    def _shown(self, text: str) -> str:
        return cards.scrub(self._redact(text))


def noted(records: Sequence[EventRecord]) -> dict[str, Any]:
    """The guard decisions and the documents found."""
    found: dict[str, Any] = {"guard_triggered": False}
    guards = [facts for each in records if isinstance(facts := each.facts, GuardFacts)]
    if guards:
        found["guard_triggered"] = any(not facts.dry_run for facts in guards)
        found["guards"] = [f"{facts.stage} {facts.guard} {facts.action} {facts.kind}" for facts in guards]
    retrievals = [facts for each in records if isinstance(facts := each.facts, RetrievalFacts)]
    if retrievals:
        names = [hit.document_id for facts in retrievals for hit in facts.hits]
        found["documents"] = list(dict.fromkeys(names))[:_MOST_DOCUMENTS]
        found["unsupported"] = any(facts.refused for facts in retrievals)
    return found


def asked(request: Request) -> str:
    """All texts of a request."""
    if isinstance(request, ChatRequest):
        return "\n".join(f"{message.role}: {message.content}" for message in request.messages)
    if isinstance(request, CompletionRequest):
        return request.said
    if isinstance(request, RerankRequest):
        return "\n".join((request.query, *request.documents))
    return "\n".join(request.inputs)


def opened_key(settings: TelemetrySettings, folder: Path) -> bytes:
    """The key of the hashes: from the settings, or from ``folder``, where it is created if it is missing."""
    if settings.log_key:
        return hashlib.sha256(settings.log_key.encode()).digest()
    path = folder / "key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    private_files.folder(folder)
    key = secrets.token_bytes(32)
    path.touch(mode=0o600)
    path.write_bytes(key)
    return key
