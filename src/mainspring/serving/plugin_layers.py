"""Layers from plugins, and their places in the rings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.core.errors import SettingsError
from mainspring.core.path import LayerFactory
from mainspring.core.plugins import Kind, Registry, nearest
from mainspring.telemetry.plugin_host import PluginHost


@dataclass(frozen=True, slots=True)
class PluginLayer:
    """A layer and its place: next to the layer of that class, ``after`` it (further in) or ``before`` it (further out).

    ``make`` puts the layer around a responder. Changes by a layer of the request ring are visible to those further in;
    layers of the call ring run around every model call.
    """

    make: LayerFactory
    ring: Literal["request", "call"] = "request"
    after: str = ""
    before: str = ""


LAYER: Kind[[PluginHost], PluginLayer] = Kind("layer", PluginLayer, ("host",))


def make_layers(registry: Registry, host: PluginHost) -> tuple[PluginLayer, ...]:
    """The layers of all plugins, in order of registration; those of a failing plugin are left out."""
    return tuple(layer for _, layer in registry.made(LAYER, host))


def placed(
    layers: Sequence[LayerFactory], brought: Sequence[PluginLayer], ring: Literal["request", "call"]
) -> list[LayerFactory]:
    """``layers`` with the layers of plugins at their places. Raises ``SettingsError`` with the nearest layer if there
    is no layer of the class that a plugin names."""
    found = list(layers)
    for each in brought:
        if each.ring != ring:
            continue
        anchor = each.after or each.before
        names = [_class(layer) for layer in found]
        if anchor not in names:
            raise SettingsError(
                f"a layer of a plugin stands beside {anchor or 'nothing'}, which the {ring} ring does not have",
                remedy=nearest(anchor, [name for name in names if name]),
            )
        found.insert(names.index(anchor) + bool(each.after), each.make)
    return found


def _class(layer: LayerFactory) -> str:
    """The class of a layer, which its factory is or was made of."""
    return getattr(getattr(layer, "func", layer), "__name__", "")
