"""The recipes ``pretrain`` and ``pretrain-with``: a model of our own from nothing, with a tokenizer of the same texts
or with one that is given.
"""

from __future__ import annotations

from typing import cast

import torch
from tokenizers import Tokenizer

from mainspring.training.own import corpus as corpora
from mainspring.training.own import tokenizing, words
from mainspring.training.own.models import model_files
from mainspring.training.own.options import PretrainOptions, PretrainWithOptions
from mainspring.training.own.texts import ROLES, RowEncoder, texts
from mainspring.training.own.training import TextStage, by_frequency, told
from mainspring.training.recipe import Made, Work


def run(work: Work) -> Made:
    """Raises what ``words.train``, ``corpus.read`` and ``fit`` raise; ``InvalidRequest`` naming an option at fault."""
    options = cast(PretrainWithOptions, work.options)
    options.check_start(work.base, work.given)
    tokenizer = _tokenizer(work, options)
    encoder, vocabulary = RowEncoder(tokenizer), corpora.vocabulary_of(tokenizer)
    texts_read = corpora.read(work, encoder, options.most_tokens)
    torch.manual_seed(work.seed)
    shape = options.shape(vocabulary.size)
    model = model_files.build(shape)
    stage = TextStage(work, model, encoder, vocabulary, options.objective, options.apart, own=False)
    untrained = stage.figures(texts_read.test)[0] if texts_read.test.ids else {}
    fitted = stage.run(texts_read, options.prompts, options.sample_tokens)
    if not work.main:
        return Made("language-model")
    model = stage.model.to("cpu")
    files = (*model_files.save(model, work.output), *tokenizing.save(work, tokenizer))
    figures, intervals = stage.figures(texts_read.test) if texts_read.test.ids else ({}, {})
    counted = dict.fromkeys(figures, len(texts_read.test))
    if options.objective == "causal" and texts_read.test.ids:
        figures["perplexity_by_frequency"] = by_frequency(texts_read.train, texts_read.test, vocabulary.size)
    notes = [] if texts_read.test.ids else ["there is no side test: nothing was measured"]
    if texts_read.cut:
        notes.append(f"read the first {options.most_tokens:,} tokens alone (most_tokens)")
    return Made(
        "language-model",
        files,
        {**figures, **told(fitted, shape)},
        intervals,
        counted,
        before=untrained,
        notes=tuple(notes),
    )


def _tokenizer(work: Work, options: PretrainWithOptions) -> Tokenizer:
    """The given one, or one of these texts; a run that goes on keeps its first one."""
    if work.base is not None:
        return words.given(work.base)
    kept = work.output / tokenizing.TOKENIZER
    if kept.exists():
        return words.load(kept)
    assert isinstance(options, PretrainOptions)
    tokenizer = words.train(
        texts(work.rows("train")),
        algorithm=options.algorithm,
        vocabulary=options.vocabulary,
        lowercase=options.lowercase,
        sentinels=options.spans,
        special=ROLES,
    )
    if work.main:
        draft = work.output / f".{tokenizing.TOKENIZER}"
        tokenizer.save(str(draft))
        draft.replace(kept)
    return tokenizer
