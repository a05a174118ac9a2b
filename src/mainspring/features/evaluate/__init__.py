"""Evaluation of retrieval and answers: judged collections, metrics, significance, ablations, refusal, the RAG triad.

Nothing here is needed to serve. The measures and tests come from libraries of the extra ``eval``, which are imported on
use.
"""
