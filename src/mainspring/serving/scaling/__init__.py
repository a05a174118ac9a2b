"""Inference-time scaling: more computation for one answer, asked for by a request or had by a served name."""
