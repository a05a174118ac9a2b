"""An answer on its way out: every text of it redacted, whatever pieces it comes in."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from mainspring.core.types import (
    Answered,
    Citation,
    Contradiction,
    Event,
    Finish,
    Missing,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)


class Redactor(Protocol):
    """Takes a text in pieces and gives it back redacted; ``counts`` is how often each kind was replaced."""

    @property
    def counts(self) -> Counter[str]: ...

    def push(self, text: str) -> str: ...

    def flush(self) -> str: ...


class Rewriter(Protocol):
    """Rewrites streamed text except for its ``verbatim`` parts."""

    @property
    def counts(self) -> Counter[str]: ...

    @property
    def cut(self) -> bool:
        """Whether the text was too long, and nothing more of it is shown."""
        ...

    def push(self, text: str) -> str: ...

    def verbatim(self, text: str) -> str: ...

    def flush(self) -> str: ...


class Passthrough:
    """Gives every piece back as it came."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def push(self, text: str) -> str:
        return text

    def flush(self) -> str:
        return ""


class _TextStream:
    """The text of one choice, with the tokens and log-probabilities that belong to it."""

    __slots__ = ("_logprobs", "_pushed", "_shown", "_tokens", "redactor", "rules")

    def __init__(self, redactor: Redactor, rules: Rewriter | None = None) -> None:
        self.redactor = redactor
        self.rules = rules
        self._tokens = 0
        self._pushed = 0
        self._shown = 0
        self._logprobs: list[tuple[int, TokenLogprob]] = []

    def push(self, event: Text) -> Text | None:
        """The part of ``event``, and of text held back before it, that can be shown now."""
        if event.logprobs and not event.text and not event.tokens:
            # The log-probabilities of the prompt: the caller's own text, with what was taken out of it.
            return event
        text = self.redactor.push(event.text if self.rules is None else self._ruled(self.rules, event))
        if text is event.text and text and not (self._tokens or event.logprobs or self._logprobs):
            self._shown += len(text)
            return event
        self._tokens += event.tokens
        for logprob in event.logprobs:
            self._pushed += len(logprob.token)
            self._logprobs.append((self._pushed, logprob))
        return self._take(text, event.choice, final=False) if text else None

    def end(self, choice: int) -> Text | None:
        """The rest of the text."""
        rest = "" if self.rules is None else self.redactor.push(self.rules.flush())
        text = rest + self.redactor.flush()
        return self._take(text, choice, final=True) if text or self._tokens else None

    @staticmethod
    def _ruled(rules: Rewriter, event: Text) -> str:
        """The output of the rules: words of a source stay unchanged."""
        return rules.verbatim(event.text) if event.grounds == "verbatim" else rules.push(event.text)

    def _take(self, text: str, choice: int, *, final: bool) -> Text:
        self._shown += len(text)
        tokens, self._tokens = self._tokens, 0
        return Text(text, choice, tokens, self._ready(final) if self._logprobs else ())

    def _ready(self, final: bool) -> tuple[TokenLogprob, ...]:
        if self.redactor.counts or (self.rules is not None and self.rules.counts):
            # Tokens spell the redacted text, and lengths no longer identify them: none of the rest is shown.
            self._logprobs.clear()
            return ()
        ready = tuple(logprob for end, logprob in self._logprobs if final or end <= self._shown)
        del self._logprobs[: len(ready)]
        return ready


class Outgoing:
    """Redacts the events of one answer; each text of it has a redactor of its own. ``rules`` (None: none) rewrite the
    text of choices first, so that their output is redacted too.

    ``counts`` is how often each kind was replaced so far. ``arguments`` makes the redactors of calls' arguments (None:
    as of any text).
    """

    def __init__(
        self,
        redactor: Callable[[], Redactor],
        arguments: Callable[[], Redactor] | None = None,
        *,
        rules: Callable[[], Rewriter] | None = None,
    ) -> None:
        self._new = redactor
        self._rules = rules
        self._rewriters: list[Rewriter] = []
        self._new_arguments = arguments or redactor
        self._redactors: list[Redactor] = []
        self._texts: dict[int, _TextStream] = {}
        self._thoughts: dict[int, Redactor] = {}
        self._calls: dict[tuple[int, int], Redactor] = {}
        self._usages: list[Usage] = []

    @property
    def counts(self) -> Counter[str]:
        return sum((each.counts for each in (*self._redactors, *self._rewriters)), Counter())

    def text(self, event: Text) -> Text | None:
        """The text that can be shown after one more piece of a choice."""
        stream = self._texts.get(event.choice)
        if stream is None:
            rules = None if self._rules is None else self._rules()
            if rules is not None:
                self._rewriters.append(rules)
            stream = self._texts[event.choice] = _TextStream(self._redactor(), rules)
        return stream.push(event)

    def other(self, event: Event) -> Iterator[Event]:
        """The events to pass on for any other event."""
        if isinstance(event, Reasoning):
            yield from self._thought(event)
        elif isinstance(event, ToolCallDelta):
            yield from self._call(event)
        elif isinstance(event, Citation):
            quote, heading = self._whole(event.quote), self._whole(event.heading)
            yield dataclasses.replace(event, quote=quote, heading=heading)
        elif isinstance(event, Missing):
            yield dataclasses.replace(event, part=self._whole(event.part))
        elif isinstance(event, Answered):
            yield dataclasses.replace(event, sought=tuple(map(self._whole, event.sought)))
        elif isinstance(event, Contradiction):
            claims = tuple(dataclasses.replace(claim, value=self._whole(claim.value)) for claim in event.claims)
            yield dataclasses.replace(event, about=self._whole(event.about), claims=claims)
        elif isinstance(event, Usage):
            self._usages.append(event)  # the rest of every text goes before it
        elif isinstance(event, Finish):
            stream = self._texts.get(event.choice)
            yield from self._end_choice(event.choice)
            cut = stream is not None and stream.rules is not None and stream.rules.cut
            yield dataclasses.replace(event, reason="length") if cut and event.reason == "stop" else event
        else:
            yield event

    def end(self) -> Iterator[Event]:
        """The rest, when the stream has ended: texts that no finish closed, and the usage."""
        choices = {*self._texts, *self._thoughts, *(choice for choice, _ in self._calls)}
        for choice in sorted(choices):
            yield from self._end_choice(choice)
        yield from self._usages

    def _redactor(self, make: Callable[[], Redactor] | None = None) -> Redactor:
        redactor = (make or self._new)()
        self._redactors.append(redactor)
        return redactor

    def _whole(self, text: str) -> str:
        redactor = self._redactor()
        return redactor.push(text) + redactor.flush() if text else text

    def _thought(self, event: Reasoning) -> Iterator[Event]:
        redactor = self._thoughts.get(event.choice)
        if redactor is None:
            redactor = self._thoughts[event.choice] = self._redactor()
        if shown := redactor.push(event.text):
            yield dataclasses.replace(event, text=shown)

    def _call(self, event: ToolCallDelta) -> Iterator[Event]:
        key = (event.choice, event.index)
        redactor = self._calls.get(key)
        if redactor is None:
            yield from self._end_choice(event.choice)
            redactor = self._calls[key] = self._redactor(self._new_arguments)
        shown = redactor.push(event.arguments)
        if shown or event.name is not None or event.id is not None:
            yield dataclasses.replace(event, arguments=shown)

    def _end_choice(self, choice: int) -> Iterator[Event]:
        if (thoughts := self._thoughts.pop(choice, None)) and (rest := thoughts.flush()):
            yield Reasoning(rest, choice)
        if (stream := self._texts.pop(choice, None)) and (text := stream.end(choice)):
            yield text
        for key in [key for key in self._calls if key[0] == choice]:
            if rest := self._calls[key].flush():
                yield ToolCallDelta(choice, key[1], None, None, rest)
