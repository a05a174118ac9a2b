"""What the registry knows of engines: each kind with what its factories are given and make."""

from __future__ import annotations

from mainspring.core.plugins import Kind
from mainspring.core.settings import Settings
from mainspring.engines.base import Engine
from mainspring.engines.catalogue.pull import PulledModel

ENGINE: Kind[[PulledModel, Settings], Engine] = Kind(
    "engine", Engine, ("pulled", "settings"), builtins="mainspring.engines.builtin", setting="engines.kind"
)
"""Runs a chat model of the catalogue on this machine."""
