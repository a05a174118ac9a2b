"""The recipe of a document: a digest of everything except its bytes that determines its chunks.

A document with another recipe than the current one is read again even if its bytes are the same.
"""

from __future__ import annotations

import mainspring.stores.sql.rows as rows
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder

# To be raised whenever parsing or chunking makes other chunks of the same bytes under the same settings.
VERSION = 2
# Settings of these names, and those that begin with them and an underscore, decide about chunks.
_DECIDING = ("chunk", "chunker", "ocr", "parser", "layout", "parent", "semantic", "window")


def recipe(settings: RagSettings, embedder: Embedder) -> str:
    """The digest for documents that are read under ``settings`` for ``embedder``."""
    deciding = {
        name: value
        for name, value in settings.model_dump(mode="json").items()
        if name in _DECIDING or name.startswith(tuple(f"{each}_" for each in _DECIDING))
    }
    return rows.digest(rows.dump([VERSION, embedder.name, embedder.max_tokens, deciding]))[:32]
