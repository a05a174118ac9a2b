"""Steps about what nobody should learn: personal data, harm, attacks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pyarrow as pa

from mainspring.features.lake.steps import named
from mainspring.features.lake.steps.base import Outcome, texts, with_column
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.guards.detect import harm, injection, lexical, pii

_WORD = r"[A-Z\u00c0-\u00de][\w'\u2019.-]+"
_NAME = rf"(?P<name>{_WORD}(?: (?:van |von |de |da |del |la )?{_WORD}){{0,3}})"
_GIVEN = re.compile(
    r"(?:[Mm]y (?:full )?name(?: is|'s)|[Nn]ame:|[Tt]his is|I am called|[Dd]ear (?:Mr|Mrs|Ms|Dr)\.?|"
    r"(?:[Kk]ind|[Bb]est|[Ww]arm) regards,?|[Ss]incerely,?|[Mm]ein Name ist|[Ii]ch hei\u00dfe|[Jj]e m'appelle|"
    r"[Mm]e llamo|[Mm]i chiamo)\s+" + _NAME
)
_MARKS = (
    *("ame:", "ame is", "ame's", "his is", "I am called", "ear M", "ear D", "egards", "incerely", "ein Name ist"),
    *("hei\u00dfe", "m'appelle", "e llamo", "i chiamo"),
)
"""One of these is in each phrase of ``_GIVEN``: most texts have none, and are not searched."""
_NO_NAMES = frozenset(
    "The This That It Is Not A An My Your Our Their What Why How Where When Who Which There Here".split()
)
_ATTACKS = frozenset(
    {"injection", "injection_words", "injection_detector", "conversation_rules", "conversation_detector", "jailbreak"}
)
"""Guards of questions that find attacks."""
_RULES_READ = 6_000
"""Characters that the rules for attacks read."""


def personal_data(batch: pa.RecordBatch, options: BuildSettings) -> Outcome:
    """Placeholders in the place of personal data, in messages, answers, corrections, comments and passages; or the
    rows dropped that have any."""
    drop = options.personal_data == "drop"
    kinds = frozenset(options.personal_kinds or pii.KINDS)
    found: list[Counter[str]] = [Counter() for _ in range(batch.num_rows)]

    def clean(text: str | None, row: int) -> str | None:
        return text if not text else redacted(text, kinds, options.names, found[row])

    batch = _each_text(batch, clean)
    # The question is one of the messages, which are counted.
    asked = [redacted(each, kinds, options.names, Counter()) for each in texts(batch, "question")]
    batch = with_column(batch, "question", asked)
    if options.ner:
        batch = _names(batch, options, found)
    reasons = [", ".join(sorted(each)) if drop and each else "" for each in found]
    return with_column(batch, "redacted", [sorted(each.items()) for each in found]), reasons


Clean = Callable[[str | None, int], str | None]
"""A text of a row, as it becomes."""


def _each_text(batch: pa.RecordBatch, clean: Clean) -> pa.RecordBatch:
    """All texts of all rows through ``clean``, but for the question."""
    columns: dict[str, list[Any]] = {}
    for name in ("answer", "edited", "comment"):
        columns[name] = [clean(text, row) for row, text in enumerate(batch.column(name).to_pylist())]
    columns["messages"] = [
        _in_messages(text, row, clean) for row, text in enumerate(batch.column("messages").to_pylist())
    ]
    columns["passages"] = [
        [clean(each, row) for each in said or ()] for row, said in enumerate(batch.column("passages").to_pylist())
    ]
    for name, values in columns.items():
        batch = with_column(batch, name, values)
    return batch


def _names(batch: pa.RecordBatch, options: BuildSettings, found: Sequence[Counter[str]]) -> pa.RecordBatch:
    """Placeholders in the place of names that the spaCy pipeline finds, in the rows that it reads."""
    read = [named.sampled(each, options.ner_share) for each in batch.column("answer_id").to_pylist()]
    texts_read: list[str] = []

    def collect(text: str | None, row: int) -> str | None:
        if text and read[row]:
            texts_read.append(text)
        return text

    _each_text(batch, collect)
    asked = texts(batch, "question")
    texts_read += [text for row, text in enumerate(asked) if read[row]]
    made = named.hidden(options.ner, texts_read, options.ner_labels)
    asked = [made.get(text, (text, 0))[0] if read[row] else text for row, text in enumerate(asked)]
    batch = with_column(batch, "question", asked)

    def put(text: str | None, row: int) -> str | None:
        if not text or not read[row] or text not in made:
            return text
        left, count = made[text]
        if count:
            found[row]["name"] += count
        return left

    return _each_text(batch, put)


def redacted(text: str, kinds: frozenset[str], names: bool, counts: Counter[str]) -> str:
    """``text`` with placeholders; counts what was found by kind."""
    text, findings = pii.redact(text, kinds)
    counts.update(each.kind for each in findings)
    if names and any(mark in text for mark in _MARKS):

        def hide(match: re.Match[str]) -> str:
            if match["name"].split()[0] in _NO_NAMES:
                return match[0]
            counts["name"] += 1
            return f"{match[0][: match.start('name') - match.start()]}[NAME]"

        text = _GIVEN.sub(hide, text)
    return text


def harmful(batch: pa.RecordBatch, _: BuildSettings) -> Outcome:
    """Questions and answers about hurting people, and threats."""
    reasons = []
    for question, answer in zip(texts(batch, "question"), texts(batch, "answer"), strict=True):
        found = harm.scan(question) or harm.scan(answer)
        reasons.append(found[0].kind if found else "")
    return batch, reasons


def jailbreaks(batch: pa.RecordBatch, options: BuildSettings) -> Outcome:
    """Questions that try to take the model over, and those in which a guard saw that."""
    detector = lexical.packaged()["injection"]
    reasons = []
    for question, guards in zip(texts(batch, "question"), batch.column("guards").to_pylist(), strict=True):
        told = any(each.partition(":")[0] in _ATTACKS for each in guards or ())
        rule = None if told else next(iter(injection.scan(question[:_RULES_READ])), None)
        if told:
            reasons.append("a guard said so")
        elif rule is not None:
            reasons.append(rule.kind)
        else:
            reasons.append("detector" if detector.chance(question) >= options.jailbreak_chance else "")
    return batch, reasons


def _in_messages(text: str, row: int, clean: Any) -> str:
    messages = orjson.loads(text)
    for message in messages:
        said = message.get("content")
        if isinstance(said, str):
            message["content"] = clean(said, row)
        elif isinstance(said, list):
            for part in said:
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    part["text"] = clean(part["text"], row)
        for call in message.get("tool_calls") or ():
            if isinstance(call, dict) and isinstance(call.get("arguments"), str):
                call["arguments"] = clean(call["arguments"], row)
    return orjson.dumps(messages).decode()
