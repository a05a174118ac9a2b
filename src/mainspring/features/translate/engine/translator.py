"""A translator in this process, by CTranslate2: beam search over batches of sentences, the same each time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from mainspring.core.errors import MissingExtra, ModelError
from mainspring.core.fair.threads import FairThreads
from mainspring.features.translate.engine.card import Card, read
from mainspring.features.translate.placeholders import MARK

_BATCH = 16
"""Sentences for which the thread is taken at a time: some tenths of a second, after which another tenant's come."""


@dataclass(frozen=True, slots=True)
class TranslatedText:
    """A translation, with the pieces that were read and written. ``score``: the mean log probability of a piece, of a
    long text that of its least likely part; ``doubtful``: it is so low that the translation is often wrong
    (``Card.doubtful``)."""

    text: str
    read: int
    written: int
    doubtful: bool = False
    score: float = 0.0


class Translator:
    """The translator in ``folder``. A call is done in batches of some sentences, between which those of other tenants
    come. ``turns``: the thread that all translators of a process share."""

    def __init__(self, folder: Path, *, threads: int = 1, beams: int = 4, turns: FairThreads | None = None) -> None:
        self.card: Card = read(folder)
        self.name = folder.name
        self.folder = folder
        self._beams = beams
        self._model = _opened(folder, threads)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        added = self._tokenizer.get_added_tokens_decoder().values()
        self._marks = frozenset(each.content for each in added if each.special and not MARK.fullmatch(each.content))
        self._marked = self._tokenizer.token_to_id("<p0>") is not None
        self._turns = turns or FairThreads(1, "translate")
        told = (folder / "model.bin").stat()
        self.fingerprint = hashlib.sha256(f"{folder} {told.st_size} {told.st_mtime_ns} {beams}".encode()).hexdigest()[
            :16
        ]

    @property
    def marks(self) -> bool:
        """Whether it has learned the marks of placeholders; otherwise sentences go in parts."""
        return self._marked

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[TranslatedText]:
        """Each sentence, in order."""
        loop = asyncio.get_running_loop()
        # Those of a length are translated together: the longest one of a batch says how long it takes.
        order = sorted(range(len(sentences)), key=lambda number: len(sentences[number]))
        said: dict[int, TranslatedText] = {}
        for start in range(0, len(order), _BATCH):
            piece = order[start : start + _BATCH]
            some = [sentences[number] for number in piece]
            made = await loop.run_in_executor(self._turns, self.translated, some, source, target)
            said.update(zip(piece, made, strict=True))
        return [said[number] for number in range(len(sentences))]

    def translated(self, sentences: Sequence[str], source: str, target: str) -> list[TranslatedText]:
        """The same, in this thread."""
        around = self.card.around(source, target)
        most = self.card.longest - len(around.before) - len(around.after)
        inputs: list[list[str]] = []
        of: list[int] = []
        for number, sentence in enumerate(sentences):
            found = self._tokenizer.encode(f"{around.asks}{sentence}", add_special_tokens=False).tokens
            for start in range(0, max(1, len(found)), most):
                inputs.append([*around.before, *found[start : start + most], *around.after])
                of.append(number)
        results = self._model.translate_batch(
            inputs,
            target_prefix=[list(around.prefix)] * len(inputs) if around.prefix else None,
            beam_size=self._beams,
            max_batch_size=2048,
            batch_type="tokens",
            max_input_length=0,
            max_decoding_length=2 * self.card.longest,
            no_repeat_ngram_size=4,
            return_scores=True,
        )
        least = self.card.doubtful
        said = [TranslatedText("", 0, 0) for _ in sentences]
        for number, pieces, result in zip(of, inputs, results, strict=True):
            written = result.hypotheses[0][len(around.prefix) :]
            text = self._text(written)
            before = said[number]
            joined = f"{before.text} {text}".strip() if before.text else text
            # Its last digits depend on what else is in the batch.
            score = min(before.score, round(result.scores[0], 3))
            doubtful = least is not None and score < least
            said[number] = TranslatedText(
                joined, before.read + len(pieces), before.written + len(written), doubtful, score
            )
        return said

    def _text(self, pieces: Sequence[str]) -> str:
        numbers = [self._tokenizer.token_to_id(each) for each in pieces]
        # Marks of placeholders are special to the tokenizer: they are text here.
        kept = [n for n, piece in zip(numbers, pieces, strict=True) if n is not None and not self._special(piece)]
        return self._tokenizer.decode(kept, skip_special_tokens=False).strip()

    def _special(self, piece: str) -> bool:
        """Whether ``piece`` is for models alone: an end, a sentinel, the code of a language."""
        marked = piece[:1] == "<" and piece[-1:] == ">" and not MARK.fullmatch(piece)
        return marked or piece.startswith(">>") or piece in self._marks

    def close(self) -> None:
        self._turns.shutdown(wait=False, cancel_futures=True)


def _opened(folder: Path, threads: int) -> Any:
    try:
        import ctranslate2
    except ModuleNotFoundError:
        raise MissingExtra(
            "translators run by ctranslate2, which is not installed", remedy="pip install 'mainspring[translate]'"
        ) from None
    try:
        return ctranslate2.Translator(str(folder), device="cpu", inter_threads=1, intra_threads=threads)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{folder} cannot be opened: {error}", remedy="Convert or train it again") from None
