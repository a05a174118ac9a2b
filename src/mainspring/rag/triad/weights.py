"""Weights of ``Triad``'s logistic models, as ``benchmarks/triad.py --fit`` prints them.

Fitted on SQuAD's development questions with all-MiniLM-L6-v2's vectors; another embedding model's cosines lie
elsewhere, so fit again for one.
"""

from __future__ import annotations

from collections.abc import Mapping

SUPPORT: Mapping[str, float] = {
    "cosine": 2.70,
    "within": 0.01,
    "anywhere": 0.19,
    "placed": 1.32,
    "number": -1.76,
    "name": -1.64,
    "negation": -2.05,
    "turned": -0.08,
    "bias": -2.80,
}
SUPPORT_ASKED: Mapping[str, float] = {
    "cosine": 1.75,
    "rare": 0.25,
    "placed": 4.79,
    "number": -1.48,
    "name": -1.33,
    "negation": -2.02,
    "turned": -0.01,
    "bias": -5.58,
}
ANSWER: Mapping[str, float] = {
    "cosine": 1.95,
    "shared": 0.59,
    "echo": -3.17,
    "offers": 1.90,
    "short": -0.89,
    "held": 0.39,
    "lead": 2.41,
    "near": 4.93,
    "bias": -6.70,
}
ANSWER_ALONE: Mapping[str, float] = {
    "cosine": 4.74,
    "shared": 3.26,
    "echo": -3.76,
    "offers": 2.19,
    "short": 1.04,
    "bias": -3.29,
}
"""``SUPPORT_ASKED`` is for claims whose question is known, ``ANSWER_ALONE`` for answers without their passages."""
