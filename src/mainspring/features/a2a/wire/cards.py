"""Agent cards: what this server's agents are, where they are spoken to, and with which key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentExtension,
    AgentInterface,
    AgentProvider,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)
from google.protobuf.json_format import MessageToDict

from mainspring.core.version import __version__
from mainspring.features.a2a import shapes
from mainspring.serving.ring.registry import Served

BASE = "/a2a"
WELL_KNOWN = "/.well-known/agent-card.json"
NAME, SCHEME = "mainspring", "key"
VERSIONS = ("1.0", "0.3")
AGENT_KINDS = ("application", "collection", "chat")
"""Kinds of served names that are agents."""


def is_agent(served: Served) -> bool:
    """Whether it can be asked over A2A: names with slashes have no address."""
    return served.kind in AGENT_KINDS and "/" not in served.name


def description(served: Served) -> str:
    """What an agent is for: in its own words if it has any."""
    responder = served.responder
    own = getattr(responder, "description", "") or getattr(getattr(responder, "agent", None), "description", "")
    if isinstance(own, str) and own:
        return own
    if served.kind == "collection":
        return f"Answers questions from the documents of the collection {served.name}, with citations."
    return f"The {'application' if served.kind == 'application' else 'chat model'} {served.name}."


def skill(served: Served) -> AgentSkill:
    """An agent as a skill of the whole server."""
    made = AgentSkill(id=served.name, name=served.name, description=description(served), tags=[served.kind])
    made.examples.extend(str(each) for each in getattr(served.responder, "examples", ()))
    return made


def card(
    root: str, served: Served | None, agents: Sequence[Served], default: str, *, legacy: bool = False
) -> AgentCard:
    """The card of one agent, or, without ``served``, of the server: ``agents`` are its skills, ``default`` answers at
    its own address. ``root`` is the server's address; ``legacy``: with interfaces of 0.3."""
    place = f"{root}{BASE}" + (f"/{quote(served.name, safe='')}" if served is not None else "")
    about = description(served) if served is not None else _whole(root, default)
    made = AgentCard(
        name=served.name if served is not None else NAME,
        description=about,
        version=__version__,
        provider=AgentProvider(organization=NAME, url=root),
        capabilities=AgentCapabilities(
            streaming=True,
            push_notifications=True,
            extended_agent_card=True,
            extensions=[AgentExtension(uri=shapes.EXTENSION, description="citations in the metadata of artifacts")],
        ),
        default_input_modes=list(shapes.MODES),
        default_output_modes=list(shapes.MODES),
        supported_interfaces=[
            AgentInterface(url=place, protocol_binding=binding, protocol_version=version)
            for version in (VERSIONS if legacy else VERSIONS[:1])
            for binding in ("JSONRPC", "HTTP+JSON")
        ],
        skills=[skill(each) for each in agents] or [_default_skill(default)],
        security_requirements=[SecurityRequirement(schemes={SCHEME: StringList()})],
    )
    made.security_schemes[SCHEME].CopyFrom(
        SecurityScheme(
            http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="Bearer", description="An API key of this server")
        )
    )
    return made


def body(made: AgentCard) -> tuple[bytes, str]:
    """A card as JSON, with the fields that clients of 0.3 read if it has interfaces of 0.3, and its entity tag."""
    legacy = any(each.protocol_version == VERSIONS[1] for each in made.supported_interfaces)
    content: dict[str, Any] = agent_card_to_dict(made) if legacy else MessageToDict(made)
    encoded = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return encoded, f'"{hashlib.sha256(encoded).hexdigest()[:32]}"'


def _whole(root: str, default: str) -> str:
    listed = (
        f"Its extended card lists the agents that a key may ask, each with a card at {root}{BASE}/NAME{WELL_KNOWN}."
    )
    return f"A GenAI server. Messages here are answered by {default}. {listed}"


def _default_skill(default: str) -> AgentSkill:
    return AgentSkill(id=default, name=default, description=f"Answers with {default}.", tags=["default"])
