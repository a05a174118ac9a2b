"""Encoders are compiled once in a process of tests, whoever opens them: each system would compile the same graphs
again, and read the same tokenizers, which takes longer than most of what it is opened for. A file that has changed is
another one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cachetools import LRUCache

from mainspring.engines.encode import encoder, tokens
from mainspring.engines.encode.encoder import EncoderRunner

MOST = 8
"""Graphs that are kept: each takes some hundred megabytes at most."""


@pytest.fixture(scope="session", autouse=True)
def encoders_compiled_once() -> Iterator[None]:
    """Requests for inference are each runner's own."""
    compile_, read = EncoderRunner._compile, tokens.plain_tokenizer
    graphs: LRUCache[object, Any] = LRUCache(MOST)
    tokenizers: LRUCache[object, Any] = LRUCache(MOST)
    one_at_a_time = threading.RLock()

    def kept(cache: LRUCache[object, Any], key: object, make: Callable[[], Any]) -> Any:
        with one_at_a_time:
            if key not in cache:
                cache[key] = make()
            return cache[key]

    def compiled(self: EncoderRunner) -> Any:
        import openvino as ov

        files = tuple(_as_it_is(Path(path)) for path in self._pulled.files.values())
        made = getattr(self._graph, "__qualname__", "")
        key = (files, made, self._threads, self._precision)
        graph = kept(graphs, key, lambda: ov.CompiledModel(compile_(self).get_compiled_model()))
        return graph.create_infer_request()

    def tokenizer(path: str) -> Any:
        return kept(tokenizers, _as_it_is(Path(path)), lambda: read(path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EncoderRunner, "_compile", compiled)
        patch.setattr(tokens, "plain_tokenizer", tokenizer)
        patch.setattr(encoder, "plain_tokenizer", tokenizer)
        yield


def _as_it_is(path: Path) -> tuple[str, int, int] | str:
    """Changes with the file."""
    if not path.exists():
        return str(path)
    found = path.stat()
    return str(path), found.st_mtime_ns, found.st_size
