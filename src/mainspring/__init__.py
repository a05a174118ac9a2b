"""mainspring: a production GenAI platform in one install.

    import mainspring

    with mainspring.open() as ms:
        ms.ingest("handbook", "samples/handbook")
        print(ms.ask("handbook", "How often should I replace the screens of the Tarn press?"))

``connect`` is the same over a running server; ``open_async`` and ``connect_async`` are for code that awaits. The names
in this module are imported on first use: engine children import the package and must start in milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mainspring.core.version import __version__

if TYPE_CHECKING:
    from mainspring.client.asynchronous import AsyncMainspring, connect_async, open_async
    from mainspring.client.results import Ingested, Passage, Reply, Source
    from mainspring.client.synchronous import Mainspring, connect, open  # noqa: A004

__all__ = [
    "AsyncMainspring",
    "Ingested",
    "Mainspring",
    "Passage",
    "Reply",
    "Source",
    "__version__",
    "connect",
    "connect_async",
    "open",
    "open_async",
]

_MODULES = {
    "AsyncMainspring": "asynchronous",
    "Ingested": "results",
    "Mainspring": "synchronous",
    "Passage": "results",
    "Reply": "results",
    "Source": "results",
    "connect": "synchronous",
    "connect_async": "asynchronous",
    "open": "synchronous",
    "open_async": "asynchronous",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'mainspring' has no attribute {name!r}")
    return getattr(import_module(f"mainspring.client.{module}"), name)


def __dir__() -> list[str]:
    return __all__
