"""What this package registers. Heavy things are imported where they are made: every start imports this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mainspring.core.errors import SettingsError
from mainspring.core.plugins import Registry, hookimpl
from mainspring.kinds import APPLICATION, ENGINE, FEATURE, GUARD, METRIC, PARSER, TOOLSET
from mainspring_sample.settings import NAME, SampleSettings

if TYPE_CHECKING:
    from mainspring.agents.tools.base import Toolset
    from mainspring.core.settings import Settings
    from mainspring.core.types import Responder
    from mainspring.engines.base import Engine
    from mainspring.engines.catalogue.pull import PulledModel
    from mainspring.feature import Feature, Rooms
    from mainspring.guards.policy.scanners import TextGuard
    from mainspring.rag.parse.formats import DocumentReader
    from mainspring.rag.triad.live import AnswerMetric
    from mainspring.telemetry.plugin_host import PluginHost


@hookimpl
def mainspring_register(registry: Registry) -> None:
    registry.settings(NAME, SampleSettings)
    registry.add(ENGINE, "parrot", _parrot)
    registry.add(GUARD, "loud", _loud)
    registry.add(PARSER, "tickets", _tickets)
    registry.add(METRIC, "brevity", _brevity)
    registry.add(APPLICATION, "shout", _shout)
    registry.add(FEATURE, "hello", _hello)
    registry.add(TOOLSET, "lamps", _lamps)


def _parrot(pulled: PulledModel, _settings: Settings) -> Engine:
    from mainspring.engines.scripted import ScriptedEngine

    return ScriptedEngine(name=pulled.entry.name)


def _loud(host: PluginHost) -> TextGuard:
    from mainspring_sample.loud import Loud

    return Loud(host.section(NAME, SampleSettings).loud_words, host.metrics)


def _tickets() -> DocumentReader:
    from mainspring_sample.tickets import Tickets

    return Tickets()


def _brevity(host: PluginHost) -> AnswerMetric:
    from mainspring_sample.brevity import Brevity

    return Brevity(host.section(NAME, SampleSettings).brief_words)


def _shout(rooms: Rooms) -> Responder:
    from mainspring_sample.shout import Shout

    if not rooms.path.chat:
        raise SettingsError("shout needs a chat model", remedy="Set models.chat")
    return Shout(next(iter(rooms.path.chat.items())))


def _hello() -> Feature:
    from mainspring_sample.hello import FEATURE as HELLO

    return HELLO


def _lamps(_rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    from mainspring_sample.lamps import lamps

    return lamps(options)
