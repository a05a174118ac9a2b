"""Exports of the lake: sets for training, with lineage, manifest, split and data card."""
