"""Fields that are accepted or refused by rule, and explicit nulls."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from pydantic import Field, ValidationError

from mainspring.core.errors import Unsupported
from mainspring.http.bodies import Body
from mainspring.http.field_errors import invalid
from mainspring.http.fields import Hint, Refused, ignored, kind_of
from mainspring.http.request_body import JsonRoute

Mark = Annotated[Any, Hint("it only steers a cache")]


class Part(Body):
    text: str
    cache_control: Mark = None


class Message(Body):
    role: str
    content: str | list[Part]


class Ask(Body):
    model: str
    count: Annotated[int, Field(gt=0)] = 3
    label: str | None = "none given"
    messages: list[Message] = Field(default_factory=list)
    client: Mark = None
    modalities: Annotated[Any, Refused("only text is written here", "Ask for text", (["text"], "text", 1))] = None


def test_a_hint_takes_any_value_and_is_named_once_whatever_its_depth() -> None:
    part = {"text": "Hi.", "cache_control": {"type": "ephemeral"}}
    sent = {"model": "m", "client": [1, {"a": None}], "messages": [{"role": "user", "content": [part, part]}] * 3}
    assert Ask.model_validate(sent).messages[0].content[0].text == "Hi."  # type: ignore[union-attr]
    assert ignored(Ask, sent) == ["client", "messages.content.cache_control"]
    assert ignored(Ask, {"model": "m", "client": None, "messages": [{"role": "user", "content": "Hi."}]}) == []


@pytest.mark.parametrize("value", [["text"], "text", 1, None])
def test_what_happens_anyway_may_be_asked_for(value: Any) -> None:
    assert Ask.model_validate({"model": "m", "modalities": value}).modalities is None


@pytest.mark.parametrize("value", [["audio"], ["text", "audio"], True, 1.0, {}])
def test_what_cannot_be_honoured_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Ask.model_validate({"model": "m", "modalities": value})
    (first,) = caught.value.errors()
    error = invalid(first, first["loc"])
    assert isinstance(error, Unsupported)
    assert (error.param, error.remedy) == ("modalities", "Ask for text")
    assert "only text is written here" in error.message


def test_a_null_equals_absence() -> None:
    body = Ask.model_validate({"model": "m", "count": None, "messages": None, "not a field": None})
    assert (body.count, body.messages) == (3, [])


def test_a_null_that_is_a_value_stays_one() -> None:
    assert Ask.model_validate({"model": "m", "label": None}).label is None


def test_a_null_for_what_is_required_is_an_error() -> None:
    with pytest.raises(ValidationError, match="model"):
        Ask.model_validate({"model": None})


def test_an_unknown_field_is_still_refused() -> None:
    with pytest.raises(ValidationError, match="unknown field"):
        Ask.model_validate({"model": "m", "modell": "x"})


def test_each_field_says_what_happens_to_it() -> None:
    kinds = {name: kind_of(info)[0] for name, info in Ask.model_fields.items()}
    assert kinds == {**dict.fromkeys(kinds, "honoured"), "client": "hint", "modalities": "refused"}


def test_the_answer_says_what_was_not_read() -> None:
    routes = APIRouter(route_class=JsonRoute)

    @routes.post("/ask")
    async def ask(body: Ask) -> dict[str, str]:
        return {"model": body.model}

    app = FastAPI()
    app.include_router(routes)
    with TestClient(app) as client:
        told = client.post("/ask?beta=true", json={"model": "m", "client": {"name": "cli"}})
        plain = client.post("/ask", json={"model": "m"})
    assert (told.status_code, told.headers["x-mainspring-ignored"]) == (200, "beta, client")
    assert "x-mainspring-ignored" not in plain.headers
