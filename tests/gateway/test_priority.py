"""The priority class of a request: its key's, or a lower one that it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import Headers, State

from mainspring.core.errors import Forbidden, InvalidRequest
from mainspring.core.types import Context, Principal, Priority, TraceParent
from mainspring.http.access import access_to


class Keys:
    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    async def authenticate(self, secret: str) -> Principal:
        return self._principal


class Request:
    def __init__(self, **headers: str) -> None:
        sent = {"authorization": "Bearer x", **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.headers = Headers(sent)
        self.state = State({"trace": TraceParent.new()})


async def admitted(scopes: set[str], tier: str = "", **headers: str) -> Context:
    keys = Keys(Principal("acme", "k", frozenset(scopes), tier=tier))
    request: Any = Request(**headers)
    return await access_to(keys, 9, {"free": "background"})("chat").admit(request)


async def test_a_request_has_the_class_of_its_keys_tier() -> None:
    assert (await admitted({"chat"})).priority == Priority.INTERACTIVE
    assert (await admitted({"chat"}, "free")).priority == Priority.BACKGROUND
    assert (await admitted({"chat"}, "unknown")).priority == Priority.INTERACTIVE


async def test_anybody_may_ask_to_be_served_later() -> None:
    assert (await admitted({"chat"}, x_priority="batch")).priority == Priority.BATCH
    assert (await admitted({"chat"}, "free", x_priority=" Batch ")).priority == Priority.BATCH


async def test_only_operators_may_ask_to_be_served_before() -> None:
    with pytest.raises(Forbidden, match="served as background, not as interactive"):
        await admitted({"chat"}, "free", x_priority="interactive")
    # Nor is that an administrator's to decide, whose tier the operator set.
    with pytest.raises(Forbidden):
        await admitted({"admin"}, "free", x_priority="interactive")
    served = await admitted({"admin", "operate"}, "free", x_priority="interactive")
    assert served.priority == Priority.INTERACTIVE


async def test_a_class_that_there_is_not_is_named() -> None:
    with pytest.raises(InvalidRequest, match="one of interactive, background, batch") as caught:
        await admitted({"chat"}, x_priority="urgent")
    assert caught.value.param == "x-priority"
