"""The recipe ``finetune-own``: the second stage, from a model that ``pretrain`` made, on the rows of a task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import cast

import numpy as np
import torch

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.training.own import collate as collates
from mainspring.training.own import corpus as corpora
from mainspring.training.own import tokenizing, words
from mainspring.training.own.corpus import Corpus, TokenTexts
from mainspring.training.own.feed import Batch, Shuffled
from mainspring.training.own.loop import Fitted, fit, targets_of
from mainspring.training.own.models import gguf_file, model_files
from mainspring.training.own.models.config import shape_of
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.models.shape import Kind, Shape
from mainspring.training.own.options import FinetuneOptions, Objective
from mainspring.training.own.ratios import ratio
from mainspring.training.own.texts import ASSISTANT, TEMPLATE, RowEncoder
from mainspring.training.own.training import TextStage, exp_of, plan_of, told
from mainspring.training.recipe import Made, Makes, Work

_OBJECTIVES: dict[Kind, Objective] = {"decoder": "causal", "encoder": "masked", "encoder-decoder": "span"}
PARITY = "parity.jsonl"
_MOST_COMPARED = 16
Sides = tuple[list[int], list[int]]


def run(work: Work) -> Made:
    """A decoder learns conversations (their answers alone, by default) or plain texts, an encoder masked texts, and an
    encoder with decoder pairs. Raises ``InvalidRequest`` naming what does not fit, and what ``fit`` raises."""
    options = cast(FinetuneOptions, work.options)
    if work.base is None:
        raise InvalidRequest("this recipe starts from a pretrained model", remedy="Name one", param="base")
    shape, tokenizer = shape_of(work.base), words.given(work.base)
    torch.manual_seed(work.seed)
    model = model_files.load(work.base)
    texts = corpora.read(work, RowEncoder(tokenizer), options.most_tokens)
    answers = options.answers_only and shape.kind != "encoder" and _have_answers(texts.train)
    kind = PairStage if shape.kind == "encoder-decoder" else TextStage
    stage = kind(
        work,
        model,
        RowEncoder(tokenizer),
        corpora.vocabulary_of(tokenizer),
        _OBJECTIVES[shape.kind],
        apart=shape.kind == "decoder",
        own=answers,
    )
    before = stage.figures(texts.test)[0] if texts.test.ids else {}
    fitted = stage.run(texts, options.prompts, options.sample_tokens)
    model.to("cpu")
    makes = _makes(shape, answers=answers)
    files = (*model_files.save(model, work.output), *tokenizing.save(work, tokenizer))
    said = [said for turns in texts.held_out.turns for _, said in turns]
    files, entry = served(work, model, RowEncoder(tokenizer), files, said) if makes == "chat" else (files, {})
    figures, intervals = stage.figures(texts.test) if texts.test.ids else ({}, {})
    return Made(
        makes,
        files,
        {**figures, **told(fitted, shape)},
        intervals,
        dict.fromkeys(figures, len(texts.test)),
        before=before,
        entry=entry,
        notes=() if figures else ("there is no side test: nothing was measured",),
    )


class PairStage(TextStage):
    """Pairs of a source and a target, one pair a row."""

    def sides(self, texts: TokenTexts) -> list[Sides]:
        """Raises ``InvalidRequest`` for rows that are no pairs. Longer sides are cut."""
        most = self.shape.length
        found = []
        for turns in texts.turns:
            if len(turns) != 2:
                raise InvalidRequest(
                    "a row is not a pair, and an encoder with a decoder learns only from pairs",
                    remedy="Give rows with `source` and `target`, or `prompt` and `completion`",
                    param="train",
                )
            source, target = (self.encoder.plain(said)[:most] for _, said in turns)
            found.append((source or [self.vocabulary.first], target[: most - 1]))
        return found

    def batches(self, texts: TokenTexts) -> list[Batch]:
        both = self.sides(texts)
        return [collates.pairs(both[at : at + 16]) for at in range(0, len(both), 16)]

    @torch.no_grad()
    def losses(self, texts: TokenTexts) -> list[tuple[float, int]]:
        self.model.eval()
        device = next(self.model.parameters()).device
        found = []
        for each in self.sides(texts):
            batch = collates.pairs([each])
            loss = float(self.model(**{name: part.to(device) for name, part in batch.items()}))
            found.append((loss, targets_of(batch)))
        return found

    def figures(self, texts: TokenTexts) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        mean, low, high = ratio(self.losses(texts))
        return {"perplexity": exp_of(mean)}, {"perplexity": (exp_of(low), exp_of(high))}

    def run(self, corpus: Corpus, prompts: Sequence[str], most: int) -> Fitted:
        options = cast(FinetuneOptions, self.work.options)
        both = self.sides(corpus.train)
        if not both:
            raise NothingLearned("there are no pairs", remedy="Give rows with `source` and `target`")

        def collate(chosen: list[Sides], _: list[np.random.Generator]) -> Batch:
            return collates.pairs(chosen)

        return fit(
            self.work,
            self.model,
            Shuffled(both, collate, size=options.batch, seed=self.work.seed),
            plan_of(options),
            held_out=self.batches(corpus.held_out),
            samples=self.sampler(prompts or [turns[0][1] for turns in corpus.held_out.turns[:3]], most),
        )


def _have_answers(texts: TokenTexts) -> bool:
    return any(role == ASSISTANT for turns in texts.turns for role, _ in turns)


def served(
    work: Work, model: torch.nn.Module, encoder: RowEncoder, files: tuple[str, ...], texts: Iterable[str]
) -> tuple[tuple[str, ...], dict[str, object]]:
    """The files with the one that engines read, and with the losses of some ``texts`` that an engine must give as well;
    and the fields of the catalogue's entry. Nothing is added for a tokenizer that engines do not know."""
    if not isinstance(model, Decoder) or not gguf_file.fits(model, encoder.tokenizer):
        return files, {}
    gguf_file.save(model, encoder.tokenizer, work.output / gguf_file.FILE)
    with (work.output / PARITY).open("w", encoding="utf-8") as lines:
        for text, loss in islice(_losses(model, encoder, texts), _MOST_COMPARED):
            lines.write(json.dumps({"text": text, "loss": loss}, ensure_ascii=False) + "\n")
    entry: dict[str, object] = {
        "kind": "chat",
        "format": "gguf",
        "files": [{"name": gguf_file.FILE}],
        "chat_template": TEMPLATE,
        "context_window": model.shape.length,
    }
    return (*files, gguf_file.FILE, PARITY), entry


@torch.no_grad()
def _losses(model: Decoder, encoder: RowEncoder, texts: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Of each text that fits: the mean loss a token, the first one left out."""
    for text in texts:
        ids = encoder.plain(text)
        if 1 < len(ids) <= model.shape.length:
            whole = torch.tensor([ids])
            yield text, float(model(whole[:, :-1], whole[:, 1:])) / (len(ids) - 1)


def _makes(shape: Shape, *, answers: bool) -> Makes:
    return "chat" if answers and shape.kind == "decoder" and shape.positions == "rotary" else "language-model"
