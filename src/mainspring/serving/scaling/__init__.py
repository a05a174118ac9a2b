"""Inference-time scaling: more computation for one answer, by a request's option or by a served name."""
