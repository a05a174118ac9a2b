"""The parts of the sample plugin keep what ``mainspring.testing`` asks of each kind."""

from __future__ import annotations

import pytest
from mainspring_sample.brevity import Brevity
from mainspring_sample.hello import FEATURE
from mainspring_sample.lamps import lamps
from mainspring_sample.loud import Loud
from mainspring_sample.shout import Shout
from mainspring_sample.tickets import Tickets
from prometheus_client import CollectorRegistry

from mainspring.agents.tools.base import Toolset
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.feature import Feature
from mainspring.rag.triad.live import GivenAnswer
from mainspring.testing import (
    ApplicationSuite,
    EngineSuite,
    FeatureSuite,
    GuardSuite,
    MetricSuite,
    ParserSuite,
    ToolsetSuite,
)


class TestParrot(EngineSuite):
    @pytest.fixture
    def generates(self) -> bool:
        return False

    @pytest.fixture
    def engine(self) -> ScriptedEngine:
        return ScriptedEngine(delay=0.02)


class TestLoud(GuardSuite):
    bad = ("WHERE IS THE LAMP THAT YOU SOLD ME", "I said: GIVE THE REFUND")
    good = ("Where is the lamp?", "The FAQ of NASA")

    @pytest.fixture
    def guard(self) -> Loud:
        return Loud(3, CollectorRegistry())


class TestTickets(ParserSuite):
    document = b"TICKET 17: Lamp\nThe lamp flickers.\n\nTICKET 18: Stove\nThe stove is cold.\n"
    said = ("Ticket 17: Lamp", "The stove is cold.")

    @pytest.fixture
    def parser(self) -> Tickets:
        return Tickets()


class TestBrevity(MetricSuite):
    better = GivenAnswer("When?", "At six.")
    worse = GivenAnswer("When?", "It so happens that the harbour, as everybody knows, opens at six.")

    @pytest.fixture
    def metric(self) -> Brevity:
        return Brevity(40)


class TestShout(ApplicationSuite):
    @pytest.fixture
    def application(self) -> Shout:
        model = ModelResponder(ScriptedEngine(templates=True), model_name="scripted", fingerprint="1")
        return Shout(("scripted", model))


CALLS = {"lamp_price": {"kind": "desk"}}


class TestLamps(ToolsetSuite):
    calls = CALLS

    @pytest.fixture
    def toolset(self) -> Toolset:
        return lamps({})


class TestHello(FeatureSuite):
    @pytest.fixture
    def feature(self) -> Feature:
        return FEATURE
