"""The stored part of a request beyond its messages, and how the request is rebuilt from it.

A turn of a session keeps references to the earlier messages that the model was shown: their texts belong to the session
and are deleted with it. Notes and recalled turns are computed for each request and not stored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.errors import Conflict
from mainspring.core.facts.answers import GivenFacts
from mainspring.core.types import ChatRequest, Grammar, Image, Message, Sampling, Tool, ToolCall
from mainspring.serving.memory.layer import NOTED, NOTES, RECALLED
from mainspring.stores.sql import rows

_UNSAID = Sampling()
_REQUEST = ChatRequest("", ())
# Options that concern the server, not the answer.
_NOT_AGAIN = ("cache", "session", "preset")


def plain(noun: Any) -> dict[str, Any]:
    """A value object as JSON, without default values."""
    return {name: value for name, value in dataclasses.asdict(noun).items() if value not in (None, "", (), [])}


def sampling(drawn: Sampling) -> dict[str, Any]:
    """A request's sampling parameters; its grammar is text and stored elsewhere."""
    fields = {each.name: getattr(drawn, each.name) for each in dataclasses.fields(drawn) if each.name != "grammar"}
    return {name: value for name, value in fields.items() if value != getattr(_UNSAID, name)}


def beside(request: ChatRequest) -> dict[str, Any]:
    """Tools, grammar, options and variables of the template; nothing if there are none."""
    found: dict[str, Any] = {}
    if request.tools:
        found["tools"] = [plain(tool) for tool in request.tools]
    for name in ("tool_choice", "parallel_tool_calls"):
        if (value := getattr(request, name)) != getattr(_REQUEST, name):
            found[name] = value
    if request.sampling.grammar is not None:
        found["grammar"] = plain(request.sampling.grammar)
    if request.variables:
        found["variables"] = dict(request.variables)
    if options := {name: value for name, value in request.options.items() if name not in _NOT_AGAIN}:
        found["options"] = options
    return found


def turn_as_sent(said: Sequence[Message], turn: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages of a session's turn as sent: new ones by position in ``turn``, earlier ones by the digest of their
    text, and computed ones by kind."""
    places = {id(message): number for number, message in enumerate(turn)}
    texts = {message.content: number for number, message in enumerate(turn) if message.role == "user"}
    found: list[dict[str, Any]] = []
    noted = False
    for message in said:
        if noted and message.content == NOTED:
            noted = False
        elif id(message) in places:
            found.append({"turn": places[id(message)]})
        elif message.role == "user" and message.content.startswith(RECALLED):
            # The new question, preceded by earlier turns.
            number = next((at for text, at in texts.items() if message.content.endswith(f"\n\nNow: {text}")), None)
            found += [{"made": "recalled turns"}, {"turn": number} if number is not None else {"made": "question"}]
        elif message.role == "user" and message.content.startswith(NOTES):
            noted = True
            found.append({"made": "notes"})
        else:
            reference = plain(dataclasses.replace(message, content="", images=()))
            pictures = {"pictures": len(message.images)} if message.images else {}
            found.append(reference | pictures | {"sha256": rows.digest(rows.clean(message.content))})
    return found


def restored_sampling(facts: GivenFacts, grammar: Mapping[str, Any] | None) -> Sampling:
    """The sampling that was recorded."""
    given = dict(facts.sampling or {})
    if "stop" in given:
        given["stop"] = tuple(given["stop"])
    if "logit_bias" in given:
        given["logit_bias"] = tuple((token, bias) for token, bias in given["logit_bias"])
    return Sampling(**given, grammar=None if grammar is None else Grammar(**grammar))


def message(kept: Mapping[str, Any]) -> Message:
    """A message from its stored JSON."""
    calls = tuple(ToolCall(**call) for call in kept.get("tool_calls", ()))
    images = tuple(Image(**image) for image in kept.get("images", ()))
    return Message(kept["role"], kept.get("content", ""), kept.get("name"), calls, kept.get("tool_call_id"), images)


def references(content: Mapping[str, Any]) -> list[str]:
    """The digests of the earlier messages of a session's turn."""
    return [each["sha256"] for each in content.get("sent", ()) if "sha256" in each]


def restored_messages(content: Mapping[str, Any], texts: Mapping[str, str]) -> tuple[tuple[Message, ...], list[str]]:
    """The messages of a request, and a list of the parts that were not stored. ``texts`` contains the existing ones of
    ``references``.

    Raises ``Conflict`` if earlier messages of the session are gone."""
    turn = [message(each) for each in content.get("messages", ())]
    if "sent" not in content:
        return tuple(turn), []
    found: list[Message] = []
    made: dict[str, None] = {}
    gone = 0
    for each in content["sent"]:
        if "turn" in each:
            found.append(turn[each["turn"]])
        elif "made" in each:
            made[each["made"]] = None
        elif each["sha256"] in texts:
            found.append(message({**each, "content": texts[each["sha256"]]}))
            if each.get("pictures"):
                made["pictures"] = None
        else:
            gone += 1
    if gone:
        raise Conflict(
            f"{gone} of the {len(content['sent'])} messages of this turn's conversation are not kept any more",
            remedy="An erased request cannot be repeated",
        )
    return tuple(found), [f"the {each} of the earlier conversation that the model was shown" for each in made]


def restored(facts: GivenFacts, content: Mapping[str, Any], messages: Sequence[Message]) -> ChatRequest:
    """The recorded request, in no session, over ``messages``."""
    tools = tuple(Tool(**tool) for tool in content.get("tools", ()))
    return ChatRequest(
        model=facts.requested,
        messages=tuple(messages),
        sampling=restored_sampling(facts, content.get("grammar")),
        tools=tools,
        tool_choice=content.get("tool_choice", _REQUEST.tool_choice),
        parallel_tool_calls=content.get("parallel_tool_calls", True),
        user=facts.user,
        options=content.get("options", {}),
        variables=content.get("variables", {}),
    )
