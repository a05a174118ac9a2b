"""Ids of the Responses API: a response is an answer of the event log, under OpenAI's prefix."""

from __future__ import annotations

_ANSWER, _RESPONSE, _MESSAGE = "ans_", "resp_", "msg_"


def response_id(answer_id: str) -> str:
    """The id that clients see of an answer."""
    return _RESPONSE + answer_id.removeprefix(_ANSWER)


def answer_id(response_id: str) -> str:
    """The answer behind the id of a response or of Anthropic's message; an answer's own id stays as it is."""
    digits = response_id.removeprefix(_RESPONSE).removeprefix(_MESSAGE)
    return response_id if digits == response_id else _ANSWER + digits


def message_id(answer_id: str) -> str:
    """The id of an answer as Anthropic's clients see it."""
    return _MESSAGE + answer_id.removeprefix(_ANSWER)


def item_id(prefix: str, response_id: str, number: int = 0) -> str:
    """The id of an item of a response: the same whenever it is read. ``number`` tells equal kinds apart."""
    made = f"{prefix}_{response_id.removeprefix(_RESPONSE).removeprefix(_ANSWER)}"
    return f"{made}_{number}" if number else made
