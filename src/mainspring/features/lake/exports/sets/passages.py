"""Rows made of questions with passages: RAFT, triplets for embeddings, pairs for rerankers and for entailment."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.sets.rows import Options, Row, approved, made_of, question, told
from mainspring.features.lake.exports.sets.spooled_interactions import chosen
from mainspring.features.lake.exports.sets.texts import sorted_texts

REFUSAL = "The documents do not say."
_CITES = re.compile(r"\[(\d{1,3})\]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\s\[])")
_WORD = re.compile(r"\w+")


def cited(row: Interaction) -> list[str]:
    """The passages that the answer cites; the numbers of ``cited`` begin with 1."""
    return [row.passages[number - 1] for number in row.cited if 0 < number <= len(row.passages)]


class Pool:
    """Passages of all questions: draws distractors that the question's own answer was not shown. The passages lie in a
    file of ``folder`` (None: one of the system's) that has no name, with twelve bytes of each in memory."""

    def __init__(self, rows: Sequence[Interaction], seed: int, folder: Path | None = None) -> None:
        self._rows = rows
        self._passages = sorted_texts(
            ((passage, place) for place, row in enumerate(rows) for passage in row.passages), folder
        )
        self._drawn = random.Random(seed)

    def draw(self, row: Interaction, count: int) -> list[tuple[str, Interaction | None]]:
        """``count`` passages with the interaction that each is from (None: the row's own). Passages that were shown but
        not cited are the hardest, so they come first."""
        used = set(cited(row))
        own: list[tuple[str, Interaction | None]] = [(each, None) for each in row.passages if each not in used]
        if len(own) >= count:
            return own[:count]
        shown, wanted = set(row.passages), count - len(own)
        found: dict[str, int] = {}
        # A few more draws than needed: some hit the row's own passages.
        for _ in range(4 * wanted + 8):
            if len(found) == wanted or not len(self._passages):
                break
            passage, place = self._passages[self._drawn.randrange(len(self._passages))]
            if passage not in shown:
                found[passage] = place
        return [*own, *((passage, self._rows[place]) for passage, place in found.items())]

    def shuffled(self, passages: Sequence[str]) -> list[str]:
        """The passages in random order."""
        return self._drawn.sample(list(passages), len(passages))

    def chance(self, share: float) -> bool:
        """True for this share."""
        return self._drawn.random() < share


def raft(rows: Sequence[Interaction], options: Options, folder: Path | None = None) -> Iterator[Row]:
    """``question``, ``documents`` (the ``oracle`` among distractors; without it in a share of the rows) and the
    ``answer`` that cites them, or a refusal. Zhang et al., "RAFT" (2024)."""
    found = chosen(rows, lambda row: question(row) and row.passages)
    pool = Pool(found, options.seed, folder)
    for row in found:
        oracle = cited(row)
        refuses = bool(row.refused) or not oracle
        if refuses and row.refused is not True:
            continue
        others = pool.draw(row, options.distractors)
        shown = [] if refuses or not pool.chance(options.keep_oracle) else oracle
        documents = pool.shuffled([*shown, *(passage for passage, _ in others)])
        if not documents:
            continue
        answer = REFUSAL if refuses else _renumbered(row, documents)
        if not answer:
            continue
        body = {"question": question(row), "documents": documents, "oracle": shown, "answer": answer}
        sources = [each for _, each in others if each is not None]
        yield made_of(body, row, *sources, origin="refusal" if refuses else "cited")


def _renumbered(row: Interaction, documents: Sequence[str]) -> str:
    """The answer with the numbers of ``documents`` in its citations; of those that are not shown, none."""
    places = {passage: place for place, passage in enumerate(documents, 1)}

    def number(match: re.Match[str]) -> str:
        was = int(match[1])
        passage = row.passages[was - 1] if 0 < was <= len(row.passages) else ""
        return f"[{places[passage]}]" if passage in places else ""

    return re.sub(r"(?<! ) +([.,;!?])", r"\1", _CITES.sub(number, told(row))).strip()


def triplets(rows: Sequence[Interaction], options: Options, folder: Path | None = None) -> Iterator[Row]:
    """``anchor`` (the question), ``positive`` (a cited passage) and ``negative`` (one that is not)."""
    found = chosen(rows, lambda row: question(row) and row.thumb != "down")
    pool = Pool(found, options.seed, folder)
    for row in found:
        for positive in cited(row):
            for negative, source in pool.draw(row, 1):
                body = {"anchor": question(row), "positive": positive, "negative": negative}
                sources = (row,) if source is None else (row, source)
                yield made_of(body, *sources, origin="cited")


@dataclass(frozen=True, slots=True)
class Judged:
    """The cited passages by what people did with the answer: ``kept`` with the sentence that is quoted of each (empty:
    in other words), and those that they ``cut``. Both are empty where that is not known."""

    kept: Mapping[str, str] = field(default_factory=dict)
    cut: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Interaction) -> Judged:
        """An edit keeps what it has word by word. What it has no half of was cut, if the rest was kept word by word or
        the edit says that the documents do not say; otherwise it is another answer, which judges no passage."""
        if row.edited is None:
            return cls() if row.thumb == "down" else cls({each: _held(row.answer, each) for each in cited(row)})
        kept = {each: held for each in cited(row) if (held := _held(row.edited, each))}
        if not kept and not _refuses(row.edited):
            return cls()
        words = _words(row.edited)
        lost = (each for each in cited(row) if each not in kept)
        cut = (each for each in lost if 2 * len(_words(each) & words) < len(_words(each)))
        return cls(kept, tuple(dict.fromkeys(cut)))


def _refuses(edited: str) -> bool:
    return edited.strip().startswith(REFUSAL.removesuffix("."))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def rerank(rows: Sequence[Interaction], options: Options, folder: Path | None = None) -> Iterator[Row]:
    """``query``, ``passage`` and ``label``: 1 for cited ones, 0 for shown and drawn ones. Of an edited answer 1 is for
    those that it keeps, and 0 also for those that people cut; an edit that is another answer still was about what was
    cited, unless the thumb is down."""
    found = chosen(rows, lambda row: question(row) and not row.refused and cited(row) and _counts(row, options))
    pool = Pool(found, options.seed, folder)

    def pair(passage: str, label: int, *sources: Interaction, origin: str) -> Row:
        return made_of({"query": question(sources[0]), "passage": passage, "label": label}, *sources, origin=origin)

    for row in found:
        judged = Judged.of(row)
        kept = list(judged.kept) or ([] if judged.cut or row.thumb == "down" else cited(row))
        for passage in kept:
            yield pair(passage, 1, row, origin=_origin(row))
        for passage in judged.cut:
            yield pair(passage, 0, row, origin="cut")
        for passage, source in pool.draw(row, options.distractors) if kept else ():
            sources = (row,) if source is None else (row, source)
            yield pair(passage, 0, *sources, origin="shown" if source is None else "drawn")


def _counts(row: Interaction, options: Options) -> bool:
    return not options.good or approved(row)


def _origin(row: Interaction) -> str:
    return "cited" if row.edited is None else "edit"


def reader(rows: Sequence[Interaction], options: Options, folder: Path | None = None) -> Iterator[Row]:
    """``question``, ``passage``, ``answer`` (the longest sentence of the answer that the passage holds; empty: other
    words say it) and ``answerable``: false for passages that were shown and not cited, for drawn ones, for those that
    people cut, all of them where the edit says that the documents do not say, and for those of a refusal that a person
    approved. An edit that is another answer says nothing."""
    found = chosen(rows, lambda row: question(row) and row.passages and _counts(row, options))
    pool = Pool(found, options.seed, folder)

    def none(passage: str, *sources: Interaction, origin: str) -> Row:
        body = {"question": question(sources[0]), "passage": passage, "answer": "", "answerable": False}
        return made_of(body, *sources, origin=origin)

    for row in found:
        if row.refused:
            for passage in row.passages[: options.distractors] if row.thumb == "up" and row.edited is None else ():
                yield none(passage, row, origin="refusal")
            continue
        judged = Judged.of(row)
        for passage, held in judged.kept.items():
            body = {"question": question(row), "passage": passage, "answer": held, "answerable": True}
            yield made_of(body, row, origin=_origin(row))
        for passage in judged.cut:
            yield none(passage, row, origin="cut")
        for passage, source in pool.draw(row, options.distractors) if judged.kept else ():
            sources = (row,) if source is None else (row, source)
            yield none(passage, *sources, origin="shown" if source is None else "drawn")


def _held(answer: str, passage: str) -> str:
    """The longest sentence of the answer that the passage holds; empty: it holds none."""
    said = (each.strip() for each in _SENTENCE.split(_CITES.sub("", answer)))
    return max((each for each in said if each and each in passage), key=len, default="")


def nli(rows: Sequence[Interaction], options: Options, folder: Path | None = None) -> Iterator[Row]:
    """``premise`` (a passage), ``hypothesis`` (a sentence of an answer) and ``label``: ``entailment`` for the passage
    that it cites, ``neutral`` for one of another question. The labels are weak ones, as good as the citations."""
    found = chosen(rows, lambda row: question(row) and row.thumb != "down" and cited(row) and not row.refused)
    pool = Pool(found, options.seed, folder)
    for row in found:
        for sentence in _SENTENCE.split(told(row)):
            numbers = [int(number) for number in _CITES.findall(sentence)]
            said = re.sub(r"(?<! ) +([.,;!?])", r"\1", _CITES.sub("", sentence)).strip()
            if len(numbers) != 1 or not said or not 0 < numbers[0] <= len(row.passages):
                continue
            body = {"premise": row.passages[numbers[0] - 1], "hypothesis": said, "label": "entailment"}
            yield made_of(body, row, origin="cited")
            for premise, source in pool.draw(row, len(row.passages) + 1)[-1:]:
                if source is not None:
                    other = {"premise": premise, "hypothesis": said, "label": "neutral"}
                    yield made_of(other, row, source, origin="drawn")
