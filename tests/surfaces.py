"""What each feature shows to the outside, as tests of the whole know it.

The module ``surface`` in a feature's folder of tests has ``SURFACE``: its routes with their scopes, and its commands.
The tests of access, of limits and of commands collect them, so a new feature is entered in its own folder and in no
list of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "features"
# What the operator set that a route touches: see ``Surface.changes``.
ASKS = "budgets, limits, tiers, policies and regions hold in the rings"
STORES = "quotas hold where rows are written (tests/conformance/test_quotas.py)"
# Why a POST takes no Idempotency-Key: see ``Surface.unkeyed``.
MAKES_NOTHING = "makes nothing that lasts"
SAME_TWICE = "a second time changes nothing more: it is a state, or found by its name or content"
ANSWERS = "an answer, which nobody had when it is asked for again"
OWN_ID = "the sender's id of the message makes it one"
ONE_AT_A_TIME = "a second one is refused while one is under way"
MAKES_MORE = "each makes another one, and the answer tells that the key was ignored"
# Why a command has no --json: see ``Surface.without_json``.
SERVES = "serves until it is stopped"
TALKS = "talks with somebody"
WRITES = "writes a file, YAML or lines of JSON"
QUIET = "changes one thing that it was given, and has nothing to tell but that it did"


@dataclass(frozen=True)
class Surface:
    """The routes and the commands of one feature.

    ``scopes``: each route and the scope that it asks for ("any": any key; None: no key). ``endless`` routes stream
    until they are left; ``own`` ones ask for a credential that is no key, or for a key of one tenant. ``changes``: each
    route that changes something and that keys without the scope ``operate`` may call, with what of the operator's
    limits it touches, and what holds that ("": it works on what is the tenant's own).

    ``unkeyed``: each POST that takes no ``Idempotency-Key``, and why.

    Commands with ``--json``, as command lines: ``answering`` in the home of ``tests/cli/test_typed_json.py``;
    ``remote`` ones ask a running server, which that home lacks; ``elsewhere`` names commands that the feature's own
    tests look at. ``without_json``: commands without it, and why.
    """

    scopes: Mapping[str, str | None] = field(default_factory=dict)
    changes: Mapping[str, str] = field(default_factory=dict)
    unkeyed: Mapping[str, str] = field(default_factory=dict)
    answering: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    without_json: Mapping[str, str] = field(default_factory=dict)
    endless: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


@cache
def surfaces() -> Mapping[str, Surface]:
    """The surfaces of the features, by name."""
    found = {path.parent.name: import_module(f"tests.features.{path.parent.name}.surface") for path in _modules()}
    return {name: module.SURFACE for name, module in found.items()}


def merged(own: Mapping[str, Any], part: str) -> dict[str, Any]:
    """``own`` and the mapping ``part`` of each surface. Raises ``AssertionError``: a name stands in two places."""
    everything = dict(own)
    for feature, surface in surfaces().items():
        more = getattr(surface, part)
        assert not everything.keys() & more.keys(), (feature, part, sorted(everything.keys() & more.keys()))
        everything |= more
    return everything


def lines(own: tuple[str, ...], part: str) -> tuple[str, ...]:
    """``own`` and the command lines ``part`` of each surface."""
    return (*own, *(line for surface in surfaces().values() for line in getattr(surface, part)))


def _modules() -> list[Path]:
    return sorted(FOLDER.glob("*/surface.py"))
