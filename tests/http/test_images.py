"""Pictures in messages: how they come in over the three APIs, what remote models are sent, and who refuses them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import PICTURE, ChatRequest, Context, Image, Message, Principal, Sampling
from mainspring.engines.base import Capabilities, Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.remote import openai_wire
from mainspring.engines.scripted import ScriptedEngine
from mainspring.http.anthropic.blocks import AnthropicMessage, Reader
from mainspring.http.images import MOST, chat_content, input_parts
from mainspring.http.openai.chat_messages import WireMessage, conversation
from mainspring.http.openai.responses_items import Item, messages_of_items
from mainspring.rag.answer.question import refuse_unsupported
from mainspring.serving.admit import token_estimate
from mainspring.serving.ring import request_snapshot

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
FAR = "https://example.com/cat.jpg"
SEEN = Message("user", f"Look: {PICTURE} and {PICTURE}?", images=(Image(PNG, "low"), Image(FAR)))


def chat(*content: dict[str, Any], role: str = "user") -> Message:
    (made,) = conversation([WireMessage.model_validate({"role": role, "content": list(content)})])
    return made


def test_a_chat_keeps_the_order_of_text_and_pictures() -> None:
    made = chat(
        {"type": "text", "text": "Look: "},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        {"type": "text", "text": " and "},
        {"type": "image_url", "image_url": {"url": FAR}},
        {"type": "text", "text": "?"},
    )
    assert made == SEEN
    assert made.pieces == ("Look: ", Image(PNG, "low"), " and ", Image(FAR), "?")


def test_responses_and_messages_read_the_same() -> None:
    item = {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Look: "},
            {"type": "input_image", "image_url": PNG, "detail": "low"},
            {"type": "input_text", "text": " and "},
            {"type": "input_image", "image_url": FAR},
            {"type": "input_text", "text": "?"},
        ],
    }
    assert messages_of_items([Item.model_validate(item)]) == (SEEN,)
    blocks = [
        {"type": "text", "text": "Look: "},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": PNG.partition(",")[2]},
        },
        {"type": "text", "text": " and "},
        {"type": "image", "source": {"type": "url", "url": FAR}},
        {"type": "text", "text": "?"},
    ]
    (made,) = Reader().messages([AnthropicMessage.model_validate({"role": "user", "content": blocks})])
    assert made == Message("user", SEEN.content, images=(Image(PNG), Image(FAR)))


def test_a_remote_model_gets_the_parts_in_their_order() -> None:
    _, body = openai_wire.request(Generation("", Sampling(), messages=(SEEN, Message("user", "And now?"))), "vision")
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "Look: "},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        {"type": "text", "text": " and "},
        {"type": "image_url", "image_url": {"url": FAR}},
        {"type": "text", "text": "?"},
    ]
    assert body["messages"][1]["content"] == "And now?"


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}, "messages[0].content[0].image_url"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, "messages[0].content[0].image_url"),
        ({"type": "image_url", "image_url": {"url": "data:text/html;base64,PGI+"}}, "messages[0].content[0].image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, "messages[0].content[0].image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}, "messages[0].content[0].image_url"),
        ({"type": "image_url", "image_url": {"url": PNG, "detail": "x"}}, "messages[0].content[0].image_url"),
        ({"type": "image_url", "image_url": {}}, "messages[0].content[0].image_url"),
        ({"type": "image_url"}, "messages[0].content[0].image_url"),
        ({"type": "input_image", "file_id": "file_1"}, "messages[0].content[0].file_id"),
        ({"type": "input_audio"}, "messages[0].content"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(part: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chat(part)
    assert caught.value.param == param


def test_pictures_are_counted_and_only_people_send_them() -> None:
    one = {"type": "image_url", "image_url": {"url": FAR}}
    assert len(chat(*[one] * MOST).images) == MOST
    with pytest.raises(InvalidRequest, match="at most"):
        chat(*[one] * (MOST + 1))
    with pytest.raises(Unsupported, match="only text"):
        chat(one, role="system")


def test_a_sender_cannot_move_pictures_by_the_character_that_stands_for_them() -> None:
    made = chat({"type": "text", "text": f"a{PICTURE}b"}, {"type": "image_url", "image_url": {"url": FAR}})
    assert made.pieces == ("ab", Image(FAR))
    # A guard that takes text out may take the mark with it: the picture is still sent.
    assert Message("user", "[gone]", images=(Image(FAR),)).pieces == ("[gone]", Image(FAR))


async def test_models_without_eyes_and_documents_refuse_pictures() -> None:
    request = ChatRequest("m", (SEEN,))
    context = Context(Principal("t", "k"))
    blind = ModelResponder(ScriptedEngine(templates=True), model_name="m", fingerprint=None)
    with pytest.raises(Unsupported, match="reads no pictures") as caught:
        await blind.respond(request, context)
    assert caught.value.param == "messages"
    able = Capabilities(4096, templates=True, images=True)
    engine = ScriptedEngine(templates=True, capabilities=able)
    async with await ModelResponder(engine, model_name="m", fingerprint=None).respond(request, context) as response:
        assert [event async for event in response]
    with pytest.raises(Unsupported, match="text"):
        refuse_unsupported(request, "extractive")


def test_what_is_kept_comes_back() -> None:
    kept = request_snapshot.plain(SEEN)
    assert request_snapshot.message(kept) == SEEN
    assert [part["type"] for part in input_parts(SEEN)] == [
        "input_text",
        "input_image",
        "input_text",
        "input_image",
        "input_text",
    ]
    assert conversation([WireMessage.model_validate({"role": "user", "content": chat_content(SEEN)})])[0].pieces == (
        "Look: ",
        Image(PNG, "low"),
        " and ",
        Image(FAR, "auto"),
        "?",
    )
    assert request_snapshot.turn_as_sent([SEEN], [])[0]["pictures"] == 2
    assert "images" not in request_snapshot.turn_as_sent([SEEN], [])[0]


def test_a_picture_counts_as_tokens() -> None:
    plain, seen = (ChatRequest("m", (message,)) for message in (Message("user", SEEN.content), SEEN))
    for count in (token_estimate.prompt_tokens, token_estimate.most_prompt_tokens):
        assert count(seen) - count(plain) == 2 * token_estimate.TOKENS_AN_IMAGE
