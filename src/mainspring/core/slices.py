"""Finds the declarations of features by their location: there is no list of features.

A feature is a folder of ``mainspring/features``. Declarations for lower rooms are in modules of agreed names
(``settings``, ``scopes``, ``tables``), which import no more than that room. Missing modules are detected without
importing anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "mainspring.features"


def folder() -> Path:
    """The folder of the features."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def having(module: str) -> list[str]:
    """The features with a module of this name, by name."""
    return sorted(path.parent.name for path in folder().glob(f"*/{module}.py"))


def declared(module: str, name: str) -> Iterator[tuple[str, Any]]:
    """Each feature whose ``module`` defines ``name``, with its value."""
    for feature in having(module):
        found = getattr(import_module(f"{PACKAGE}.{feature}.{module}"), name, None)
        if found is not None:
            yield feature, found
