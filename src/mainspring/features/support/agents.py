"""The agent ``support``."""

from __future__ import annotations

from mainspring.agents.agent import Limits, LlmAgent
from mainspring.core.plugins import NotWanted
from mainspring.core.types import Context, Responder
from mainspring.feature import Rooms
from mainspring.features.support.dialogue.manager import Manager
from mainspring.features.support.feature import NAME, opened
from mainspring.features.support.script.shop import SCRIPT
from mainspring.features.support.settings import SupportSettings
from mainspring.features.support.tools.knowledge import Knowledge
from mainspring.features.support.tools.toolset import ShopTools

INSTRUCTION = """You are the customer care assistant of Larkfield Supply Co., which sells outdoor coffee gear.
Scope: orders, parcels, returns, exchanges, warranty, gift cards, price matches, and questions about Larkfield's
policies and products. Decline everything else in one sentence.
Rules:
- Call identify_customer before anything personal. Never say whether an order or a customer exists otherwise.
- Look things up with the tools. What a tool refuses stays refused: tell its reason and its source, and promise
  nothing else.
- Before a tool that changes something say what you will do, and do it after the customer has said yes.
- Answer questions about policies from search_policies only.
- Call escalate when the customer wants a person, is upset, or needs what no tool does.
Be friendly and short."""


def _support(rooms: Rooms) -> LlmAgent:
    settings = rooms.settings.section(SupportSettings)
    if settings.shop == "off":
        raise NotWanted

    async def answerer(name: str, context: Context) -> Responder:
        return (await rooms.path.registry.find(name, context.principal, inner=True)).responder

    service = opened(rooms)
    knowledge = (
        Knowledge(settings.collection, settings.answers, settings.documents, answerer) if settings.collection else None
    )
    manager = Manager(SCRIPT, rooms.engines.embedder)
    return LlmAgent(
        name=NAME,
        model=settings.model,
        description="Customer care of the shop: orders, parcels, returns, warranty, gift cards, policies, people.",
        instruction=INSTRUCTION,
        tools=(ShopTools(lambda: service.shop, lambda: service.desk, knowledge),),
        chooser=manager,
        callbacks=manager.callbacks,
        limits=Limits(steps=40, wall_s=120.0),
        visible="names",
    )


AGENTS = {NAME: _support}
