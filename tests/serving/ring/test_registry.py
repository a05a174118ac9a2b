from __future__ import annotations

import pytest

from mainspring.core.errors import Conflict, InvalidRequest, UnknownModel
from mainspring.core.path import collect
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    Finish,
    Message,
    Principal,
    Request,
    Text,
)
from mainspring.serving.ring.registry import MAX_DEPTH, Registry, Select, Served
from tests.serving.house import Recited, visitor

HELLO = (Message("user", "Hello"),)


class Shelves:
    """One collection a tenant, named after it."""

    async def find(self, name: str, principal: Principal) -> Served | None:
        return next((served for served in await self.visible(principal) if served.name == name), None)

    async def visible(self, principal: Principal) -> list[Served]:
        return [Served(f"{principal.tenant}-docs", "collection", Recited(Text(principal.tenant), Finish("stop")))]


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.attach(Shelves())
    registry.add(Served("smollm2-135m-instruct", "chat", Recited(Text("hi"), Finish("stop"), fingerprint="w")))
    registry.add(Served("minilm", "embedding", Recited()))
    registry.add(Served("document-qa", "application", Recited(Finish("stop"))))
    registry.add(Served("secret", "chat", Recited(Finish("stop"), fingerprint="s"), groups=frozenset({"staff"})))
    return registry


async def test_names_are_found_and_listed_for_those_who_may(registry: Registry) -> None:
    names = [served.name for served in await registry.models(visitor().principal)]
    assert names == ["smollm2-135m-instruct", "minilm", "document-qa", "acme-docs"]
    assert "secret" in [served.name for served in await registry.models(visitor(groups=["staff"]).principal)]
    select = Select(registry)
    assert (await collect(await select.respond(ChatRequest("acme-docs", HELLO), visitor()))).text == "acme"
    for name in ("secret", "other-docs"):
        with pytest.raises(UnknownModel):
            await select.respond(ChatRequest(name, HELLO), visitor())
    assert select.fingerprint(ChatRequest("secret", HELLO), visitor()) is None
    assert select.fingerprint(ChatRequest("secret", HELLO), visitor(groups=["staff"])) == "s"


async def test_an_unknown_name_says_the_nearest(registry: Registry) -> None:
    with pytest.raises(UnknownModel, match="Did you mean smollm2-135m-instruct") as caught:
        await registry.find("smolm2-135m-instruct", visitor().principal)
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest("minilm", HELLO),
        CompletionRequest("document-qa", "x"),
        CompletionRequest("acme-docs", "x"),
        EmbedRequest("smollm2-135m-instruct", ("x",)),
    ],
)
async def test_each_kind_answers_its_own_requests(registry: Registry, request_: Request) -> None:
    with pytest.raises(InvalidRequest, match="is of kind"):
        await Select(registry).respond(request_, visitor())


async def test_applications_cannot_call_each_other_forever(registry: Registry) -> None:
    with pytest.raises(InvalidRequest, match="levels deep"):
        await Select(registry).respond(ChatRequest("document-qa", HELLO), visitor(depth=MAX_DEPTH + 1))


def test_a_name_is_served_once(registry: Registry) -> None:
    with pytest.raises(Conflict):
        registry.add(Served("minilm", "embedding", Recited()))
