"""Names of people, found by a spaCy pipeline that the operator has installed.

Texts of a batch are read together, each once: passages repeat, and a pipeline reads many texts in half the time.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.core.errors import MissingExtra, SettingsError

PLACEHOLDER = "[NAME]"
_PIECE = 2_000
"""Characters that are read at once: a pipeline's memory grows with them."""
_AT_ONCE = 32
_SCALE = 2**32


def check(pipeline: str) -> None:
    """Raises ``MissingExtra`` without spaCy, ``SettingsError`` where ``pipeline`` is neither a package nor a folder."""
    if not pipeline:
        return
    if importlib.util.find_spec("spacy") is None:
        raise MissingExtra("lake.build.ner needs the package spacy", remedy="Install mainspring[ner]")
    if not (Path(pipeline) / "meta.json").is_file() and (
        not pipeline.isidentifier() or importlib.util.find_spec(pipeline) is None
    ):
        raise SettingsError(
            f"lake.build.ner: {pipeline} is neither an installed spaCy pipeline nor a folder with one",
            remedy=f"Install it, for example with `python -m spacy download {pipeline}`",
        )


def sampled(answer_id: str, share: float) -> bool:
    """Whether a row is among the ``share`` of rows that are read; the same rows in each build."""
    if share >= 1:
        return True
    digest = hashlib.blake2b(answer_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < share * _SCALE


def hidden(pipeline: str, texts: Iterable[str], labels: Sequence[str]) -> Mapping[str, tuple[str, int]]:
    """Each of the texts with placeholders in the place of names, and their number. Placeholders that are there already
    are left."""
    wanted = sorted({each for each in texts if each and any(map(str.isalpha, each))})
    pieces = [(text, piece) for text in wanted for piece in _pieces(text)]
    found: dict[str, tuple[str, int]] = dict.fromkeys(wanted, ("", 0))
    nlp = _loaded(pipeline)
    for (text, piece), document in zip(
        pieces, nlp.pipe([each for _, each in pieces], batch_size=_AT_ONCE), strict=True
    ):
        before, count = found[text]
        made, more = _placed(piece, document.ents, frozenset(labels))
        found[text] = before + made, count + more
    return found


def _placed(text: str, entities: Iterable[Any], labels: frozenset[str]) -> tuple[str, int]:
    made, place, count = [], 0, 0
    for each in entities:
        if each.label_ not in labels or "[" in each.text or "]" in each.text:
            continue
        made += [text[place : each.start_char], PLACEHOLDER]
        place, count = each.end_char, count + 1
    return "".join([*made, text[place:]]), count


def _pieces(text: str) -> Iterator[str]:
    """``text`` in pieces that end after a blank, where there is one in their second half."""
    begin = 0
    while len(text) - begin > _PIECE:
        cut = text.rfind(" ", begin + _PIECE // 2, begin + _PIECE) + 1 or begin + _PIECE
        yield text[begin:cut]
        begin = cut
    yield text[begin:]


@functools.lru_cache(2)
def _loaded(pipeline: str) -> Any:
    """The pipeline, of which only what finds names runs. Raises ``SettingsError`` where it finds none."""
    import spacy

    try:
        nlp = spacy.load(pipeline)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"lake.build.ner: spaCy cannot load {pipeline}: {error}", remedy="Install it for this version of spaCy"
        ) from None
    if not {"ner", "entity_ruler"} & set(nlp.pipe_names):
        raise SettingsError(
            f"lake.build.ner: the pipeline {pipeline} finds no names: it has {', '.join(nlp.pipe_names) or 'no parts'}",
            remedy="Name a pipeline with the part `ner`",
        )
    read = ("tok2vec", "transformer", "ner", "entity_ruler")
    nlp.select_pipes(enable=[each for each in nlp.pipe_names if each in read])
    return nlp
