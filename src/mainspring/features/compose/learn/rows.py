"""Rows as tokens, in an order that depends on the seed and the pass alone, so that a run goes on where it stopped."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.compose.model.layout import END, SPECIAL, header

IGNORE = -1


def tokenizer(path: Path, rows: Iterable[Mapping[str, Any]], vocabulary: int) -> Any:
    """The tokenizer at ``path``; it is made of ``rows`` (byte-level BPE) if it is not there yet."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if path.exists():
        return Tokenizer.from_file(str(path))
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator((text_of(row) for row in rows), trainer)
    made.save(str(path))
    return made


def text_of(row: Mapping[str, Any]) -> str:
    """Raises ``InvalidRequest``: a row without a text."""
    text = row.get("text")
    if not isinstance(text, str):
        raise InvalidRequest("a row has no text", remedy='Give rows like {"text": ..., "subject": ..., "to": ...}')
    return text


def is_mail(row: Mapping[str, Any]) -> bool:
    """Mails have a subject or a recipient, which may be empty; general text says neither."""
    return "subject" in row or "to" in row


Sample = tuple[list[int], list[int]]
"""Tokens, and the token that follows each of them; IGNORE where none is learnt."""


def samples(made: Any, rows: Sequence[Mapping[str, Any]], length: int) -> list[Sample]:
    """Each row as one sample, or as several if it is longer than ``length`` tokens."""
    bodies = made.encode_batch([text_of(row) for row in rows], add_special_tokens=False)
    found: list[Sample] = []
    for row, body in zip(rows, bodies, strict=True):
        before = header(made, str(row.get("to", "")), str(row.get("subject", "")))
        ids = [*body.ids, END]
        room = length - len(before) + 1
        for start in range(0, len(ids), room):
            part = ids[start : start + room]
            if start and len(part) < 8:
                continue
            tokens = [*before, *part]
            targets = [IGNORE] * (len(before) - 1) + part
            found.append((tokens[:-1], targets))
    return found


def batches(found: Sequence[Sample], tokens: int, seed: int) -> list[list[int]]:
    """The samples of each step of one pass: of like length, some ``tokens`` a step with their padding."""
    draw = random.Random(seed)
    order = list(range(len(found)))
    draw.shuffle(order)
    made: list[list[int]] = []
    # Within a large part of the mixed order, so that a batch is no fixed company.
    part = max(64, 40 * tokens // 64)
    for start in range(0, len(order), part):
        near = sorted(order[start : start + part], key=lambda at: len(found[at][0]))
        row: list[int] = []
        for at in near:
            if row and (len(row) + 1) * len(found[at][0]) > tokens:
                made.append(row)
                row = []
            row.append(at)
        made.append(row)
    draw.shuffle(made)
    return made


def padded(found: Sequence[Sample], members: Sequence[int]) -> tuple[list[list[int]], list[list[int]]]:
    """Tokens and targets, each as rows of one length. No mask is needed: padding comes behind, and nothing learns
    from it."""
    width = max(len(found[at][0]) for at in members)
    tokens = [found[at][0] + [END] * (width - len(found[at][0])) for at in members]
    targets = [found[at][1] + [IGNORE] * (width - len(found[at][1])) for at in members]
    return tokens, targets
