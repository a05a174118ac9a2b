"""Identifiers of vectors: the embedded text and the model."""

from __future__ import annotations

import hashlib


def digest(embedder: str, text: str) -> str:
    """Names the vector that the model ``embedder`` makes of a passage."""
    return digest_bytes(embedder, text).hex()


def digest_bytes(embedder: str, text: str) -> bytes:
    """The 32 bytes of ``digest``."""
    return hashlib.sha256(f"{embedder}\n{text}".encode()).digest()
