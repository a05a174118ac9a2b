"""One hook: built-ins first, plugins override, unknown names are explained."""

from __future__ import annotations

import pytest

from mainspring.core import plugins
from mainspring.core.errors import SettingsError


class Builtin:
    @plugins.hookimpl
    def mainspring_register(self, registry: plugins.Registry) -> None:
        registry.add("engine", "openvino", dict)
        registry.add("engine", "llamacpp", list)


def test_builtins_register_through_the_hook() -> None:
    registry = plugins.load(Builtin())
    assert registry.get("engine", "openvino") is dict
    assert registry.names("engine") == ["openvino", "llamacpp"]


def test_an_unknown_name_suggests_the_nearest() -> None:
    registry = plugins.load(Builtin())
    with pytest.raises(SettingsError, match="Did you mean openvino"):
        registry.get("engine", "openvno")
    with pytest.raises(SettingsError, match="There are: openvino, llamacpp"):
        registry.get("engine", "zzz")


def test_a_later_registration_replaces_an_earlier_one() -> None:
    registry = plugins.load(Builtin())
    registry.add("engine", "openvino", set)
    assert registry.get("engine", "openvino") is set
