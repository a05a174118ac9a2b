"""Guards from plugins: their findings in texts of users and tools and in answers, and the policies that use them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

from mainspring.core.plugins import Kind, Registry
from mainspring.core.settings import GuardsSettings
from mainspring.guards.policy.output import PieceFilter
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


@runtime_checkable
class AnswerGuard(TextGuard, Protocol):
    """A ``TextGuard`` that also looks at answers."""

    def answer(self) -> PieceFilter:
        """A new filter for one text of an answer: its words, its reasoning, a quote, the arguments of a call.

        The filter gets the text in pieces, on the event loop. It holds back what may be the start of a finding, and
        returns the text as it may be shown. Its ``counts`` have the kinds of ``Found``.
        """
        ...


class NamedFilter:
    """The filter ``part`` of the guard ``name``, whose counts are apart from those of others: ``NAME:KIND``."""

    __slots__ = ("_name", "_part", "push")

    def __init__(self, name: str, part: PieceFilter) -> None:
        self._name = name
        self._part = part
        self.push: Callable[[str], str] = part.push

    @property
    def counts(self) -> Counter[str]:
        return Counter({f"{self._name}:{kind}": count for kind, count in self._part.counts.items()})

    def flush(self) -> str:
        """The text has ended: return the rest."""
        return self._part.flush()


GUARD: Kind[[PluginHost], TextGuard] = Kind("guard", TextGuard, ("host",), setting="guards.plugins")


def guard_names(settings: GuardsSettings) -> list[str]:
    """The guards that some policy asks."""
    sections = [settings.plugins, *(each.plugins or {} for each in settings.policies.values())]
    return list(dict.fromkeys(name for section in sections for name, action in section.items() if action != "off"))


def make_guards(registry: Registry, settings: GuardsSettings, host: PluginHost) -> Mapping[str, TextGuard]:
    """The guards that some policy asks, by name. Raises ``SettingsError`` with the nearest name if the name is
    unknown."""
    return {name: registry.make(GUARD, name, host) for name in guard_names(settings)}


def answering(scanners: Mapping[str, TextGuard]) -> dict[str, Callable[[], PieceFilter]]:
    """What makes the filters of those guards that look at answers, by name."""
    return {name: partial(_named, name, guard) for name, guard in scanners.items() if isinstance(guard, AnswerGuard)}


def version(policy: str, scanners: Mapping[str, TextGuard]) -> str:
    """The version of all ``policy`` and of the guards that look at answers: stored answers depend on both."""
    return "+".join([policy, *(f"{name}={scanners[name].version}" for name in sorted(answering(scanners)))])


def _named(name: str, guard: AnswerGuard) -> PieceFilter:
    return NamedFilter(name, guard.answer())
