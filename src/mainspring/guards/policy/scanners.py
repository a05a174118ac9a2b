"""Guards from plugins: their findings in texts of users and tools, and the policies that use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mainspring.core.plugins import Kind, Registry
from mainspring.core.settings import GuardsSettings
from mainspring.telemetry.plugin_host import PluginHost


@dataclass(frozen=True, slots=True)
class Found:
    """``count`` things of one ``kind`` in a text, with the detector's probability if it gives one. A finding never
    contains the matched text, because events contain findings."""

    kind: str
    count: int = 1
    score: float | None = None


class TextGuard(Protocol):
    """Looks at texts. ``guards.plugins`` sets the action for its findings."""

    @property
    def version(self) -> str:
        """Another one whenever the same text may be judged otherwise."""
        ...

    async def scan(self, text: str, role: str) -> Sequence[Found]:
        """The findings in a text by a ``user``, a ``tool`` or a ``query``; empty if there are none.

        It runs before the request continues: it must be fast, and an exception fails the request.
        """
        ...


GUARD: Kind[[PluginHost], TextGuard] = Kind("guard", TextGuard, ("host",), setting="guards.plugins")


def named(settings: GuardsSettings) -> list[str]:
    """The guards that some policy asks."""
    sections = [settings.plugins, *(each.plugins or {} for each in settings.policies.values())]
    return list(dict.fromkeys(name for section in sections for name, action in section.items() if action != "off"))


def made(registry: Registry, settings: GuardsSettings, host: PluginHost) -> Mapping[str, TextGuard]:
    """The guards that some policy asks, by name. Raises ``SettingsError`` with the nearest name if the name is
    unknown."""
    return {name: registry.make(GUARD, name, host) for name in named(settings)}
