"""Responses over a WebSocket: one after the other, continued without being stored, refused as over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from mainspring.core.types import Context, Finish, Request, Response, Text, Usage
from mainspring.gateway.responses.socket import _Session, _Turn
from tests.gateway.responses.test_routes import app
from tests.serving.house import Recited

ME = {"authorization": "Bearer ms-chat"}
CREATE = {"type": "response.create", "model": "m", "store": False}


class Heard(Recited):
    """Keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__(Text("Yes."), Usage(3, 1), Finish("stop"))
        self.asked: list[Any] = []

    async def respond(self, request: Request, context: Context) -> Response:
        self.asked.append(request)
        context.settlement.answer_id = f"ans_{len(self.asked):026d}"
        return (await super().respond(request, context)).with_head(answer_id=context.settlement.answer_id)


def answer(socket: Any, **body: Any) -> list[dict[str, Any]]:
    socket.send_json({**CREATE, **body})
    events = [socket.receive_json()]
    while events[-1]["type"] not in ("response.completed", "response.failed", "error"):
        events.append(socket.receive_json())
    return events


def test_responses_follow_each_other_and_are_continued_unstored() -> None:
    heard = Heard()
    with TestClient(app(responder=heard)).websocket_connect("/v1/responses", headers=ME) as socket:
        first = answer(socket, input="My name is Ada.")
        assert [event["sequence_number"] for event in first] == list(range(len(first)))
        name = first[-1]["response"]["id"]
        second = answer(socket, input="Who am I?", previous_response_id=name)
    assert [event["response"]["previous_response_id"] for event in second if "response" in event] == [name] * 3
    assert [message.content for message in heard.asked[1].messages] == ["My name is Ada.", "Yes.", "Who am I?"]


def test_a_failed_continuation_ends_the_chain() -> None:
    with TestClient(app(responder=Heard())).websocket_connect("/v1/responses", headers=ME) as socket:
        name = answer(socket, input="Hi")[-1]["response"]["id"]
        output = {"type": "function_call_output", "call_id": "c9", "output": "x"}
        [failed] = answer(socket, input=[output], previous_response_id=name)
        assert (failed["type"], failed["status"]) == ("error", 400)
        [lost] = answer(socket, input="Hi", previous_response_id=name)
        assert (lost["status"], lost["error"]["code"]) == (400, "previous_response_not_found")
        assert answer(socket, input="Hi")[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"type": "response.create", "model": "m", "input": "Hi", "background": True}, "background"),
        ({"type": "response.create", "model": "m", "input": "Hi", "stream": True}, "stream"),
        ({"type": "session.update"}, "type"),
        ({"type": "response.create", "model": "m", "input": 7}, "input"),
        ({"type": "response.create", "model": "m", "input": "Hi", "unheard": 1}, "unheard"),
    ],
)
def test_what_cannot_be_read_is_an_error_and_the_socket_stays(sent: dict[str, Any], param: str) -> None:
    with TestClient(app(responder=Heard())).websocket_connect("/v1/responses", headers=ME) as socket:
        socket.send_json(sent)
        told = socket.receive_json()
        assert (told["type"], told["error"]["param"]) == ("error", param)
        assert answer(socket, input="Hi")[-1]["type"] == "response.completed"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer ms-ingest"}])
def test_a_socket_needs_a_key_that_may_chat(headers: dict[str, str]) -> None:
    opening = TestClient(app(responder=Heard())).websocket_connect("/v1/responses", headers=headers)
    with pytest.raises(WebSocketDenialResponse) as refused, opening:
        pass
    assert refused.value.status_code in (401, 403)


def test_unstored_responses_after_a_stored_one_are_sent_behind_it() -> None:
    session = _Session(None, None)  # type: ignore[arg-type]
    session._latest = _Turn("resp_2", "resp_1", ({"role": "user", "content": "I am 36."}, {"role": "assistant"}))
    body: dict[str, Any] = {"input": "Who am I?", "previous_response_id": "resp_2"}
    stored, items = session._since(body, "resp_2")
    assert (stored, body["previous_response_id"], body["input"]) == ("resp_1", "resp_1", list(items))
    assert [item["role"] for item in items] == ["user", "assistant", "user"]


def test_a_stored_chain_leaves_nothing_in_the_memory_of_its_socket() -> None:
    found = []
    made = _Turn.__init__

    def kept(turn: _Turn, *parts: Any) -> None:
        found.append(parts)
        made(turn, *parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Turn, "__init__", kept)
        with TestClient(app(responder=Heard())).websocket_connect("/v1/responses", headers=ME) as socket:
            name = answer(socket, input="x" * 10_000, store=True)[-1]["response"]["id"]
    assert found == [(name, name, ())]


def test_a_message_with_too_much_structure_is_refused_before_it_is_parsed() -> None:
    with TestClient(app(responder=Heard())).websocket_connect("/v1/responses", headers=ME) as socket:
        [refused] = answer(socket, input=[[]] * 500_000)
    assert (refused["type"], refused["status"]) == ("error", 413)
