"""What an application without a drawing model refuses of a request, and what it names as unread."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mainspring.core.errors import Unsupported
from mainspring.core.path import replay
from mainspring.core.types import (
    IGNORED_HEADER,
    ChatRequest,
    Finish,
    Grammar,
    Head,
    Image,
    Message,
    Response,
    Sampling,
    Tool,
)
from mainspring.serving.ring.whole_answers import refuse_drawing, with_unread

ASKED = ChatRequest("translate", (Message("user", "Hello"),))


@pytest.mark.parametrize(
    ("sampling", "more", "param"),
    [
        ({"n": 2}, {}, "n"),
        ({"logprobs": 0}, {}, "logprobs"),
        ({"stop": ("a",)}, {}, "stop"),
        ({"grammar": Grammar("json_schema", "{}")}, {}, "response_format"),
        ({}, {"tools": (Tool("look"),), "tool_choice": "required"}, "tool_choice"),
        ({}, {"messages": (Message("user", "Hi", images=(Image("data:"),)),)}, "messages"),
    ],
)
def test_what_would_make_another_answer_is_refused(sampling: Any, more: Any, param: str) -> None:
    request = dataclasses.replace(ASKED, sampling=Sampling(**sampling), **more)
    with pytest.raises(Unsupported, match="translate") as caught:
        refuse_drawing(request, "translate")
    assert caught.value.param == param


def test_what_steers_drawing_is_named() -> None:
    def told(request: ChatRequest, **headers: str) -> str | None:
        response = Response(Head("m", headers=headers), replay([Finish("stop")]))
        refuse_drawing(request, "translate")
        return with_unread(request, response).head.headers.get(IGNORED_HEADER)

    assert told(ASKED) is None
    sampling = Sampling(max_tokens=4, temperature=0.0, seed=1, top_p=0.5)
    asked = dataclasses.replace(ASKED, sampling=sampling, tools=(Tool("look"),))
    assert told(asked) == "max_tokens, temperature, top_p, seed, tools"
    assert told(dataclasses.replace(asked, sampling=Sampling()), **{IGNORED_HEADER: "verbosity"}) == "verbosity, tools"
