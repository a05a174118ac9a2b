"""Scores from 0 to 1 whether the search found documents about the question.

A logistic regression on the best chunk's cosine, the best sentence's cosine and the largest share of the question's
words (weighted by rarity) in one shown chunk. It was fitted on arithmetic problems and on questions about two corpora
(SQuAD's paragraphs and the sample handbook). Each question was asked of the corpus that answers it and of the other
one. Reports use none of this data. At ``rag.refuse_below``, one off-topic question in twenty passes. Off-topic
questions score low. Near misses (right subject, missing fact) do not: only a reader can recognise them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms

_CHUNK, _SENTENCE, _COVERAGE, _CONSTANT = 7.71, 6.69, 4.21, -7.23
_COVERED_HITS = 5


def evidence(question: str, candidates: Sequence[Hit], passages: Sequence[Passage]) -> float:
    """How likely it is that the documents are about the question. 0 if nothing was found."""
    if not candidates or not passages:
        return 0.0
    asked = terms.content(question)
    contents = [terms.among(asked, f"{hit.heading} {hit.text}") for hit in candidates]
    weights = terms.rarity(asked, contents)
    covered = max(terms.overlap(weights, words) for words in contents[:_COVERED_HITS])
    sentence = max(passage.cosine for passage in passages)
    # The fit is for one model's cosines; if all chunks were found by another model, the best sentence represents
    # them.
    chunk = max((hit.dense_score for hit in candidates if not hit.foreign), default=sentence)
    return 1 / (1 + math.exp(-(_CHUNK * chunk + _SENTENCE * sentence + _COVERAGE * covered + _CONSTANT)))
