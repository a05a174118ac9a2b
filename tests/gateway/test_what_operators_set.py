"""The operator's limits, and every route by which a tenant's keys might loosen them."""

from __future__ import annotations

import json

import pytest

from mainspring.core.errors import Forbidden
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context, Principal, ToolCall, TraceParent
from mainspring.features.replays import routes as replays
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from mainspring.stores import Stores
from tests.databases import opened, settings
from tests.gateway.asgi import Kept, Keys, ask
from tests.http.test_access import SCOPES
from tests.surfaces import ASKS, STORES, merged

__all__ = ["opened", "settings"]
# Of every route that changes something and that keys without the scope ``operate`` may call: what the operator set it
# touches, and what holds that ("": it works on what is the tenant's own). A new route of the gateway must be entered
# here, and one of a feature in ``tests/features/NAME/surface.py``.
OF_THE_GATEWAY = {
    "POST /v1/chat/completions": ASKS,
    "POST /v1/completions": ASKS,
    "POST /v1/responses": ASKS,
    "POST /v1/responses/input_tokens": "",
    "POST /v1/responses/compact": ASKS,
    "POST /v1/responses/{response_id}/cancel": "",
    "DELETE /v1/responses/{response_id}": "",
    "POST /v1/messages": ASKS,
    "POST /v1/messages/count_tokens": "",
    "POST /v1/embeddings": ASKS,
    **dict.fromkeys(("POST /v1/rerank", "POST /v2/rerank", "POST /rerank"), ASKS),
    "POST /v1/moderations": "limits",
    "POST /v1/files": STORES,
    "DELETE /v1/files/{file_id}": "",
    "POST /v1/vector_stores": STORES,
    "POST /v1/vector_stores/{store_id}": "",
    "DELETE /v1/vector_stores/{store_id}": "",
    "POST /v1/vector_stores/{store_id}/files": STORES,
    "POST /v1/vector_stores/{store_id}/files/{file_id}": "",
    "POST /v1/vector_stores/{store_id}/files/{file_id}/release": "put aside until an admin has looked at it",
    "POST /v1/vector_stores/{store_id}/files/{file_id}/scan": "",
    "DELETE /v1/vector_stores/{store_id}/files/{file_id}": "",
    "POST /v1/vector_stores/{store_id}/search": "limits",
    "POST /v1/vector_stores/{store_id}/similar": "limits",
    "POST /v1/vector_stores/{store_id}/recommendations": "limits",
    "POST /v1/vector_stores/{store_id}/sources/{source_id}/sync": "what an operator configured as its sources",
    "POST /v1/feedback": STORES,
    "POST /v1/budgets": "setter: the tenant's own stand beside (test_bestowal)",
    "POST /v1/budgets/{budget_id}": "setter (test_bestowal)",
    "DELETE /v1/budgets/{budget_id}": "setter (test_bestowal)",
    "POST /v1/vector_stores/{store_id}/file_batches": STORES,
    "POST /v1/vector_stores/{store_id}/file_batches/{batch_id}/cancel": "",
    "POST /v1/keys": "nothing that is more than itself (test_bestowal)",
    "POST /v1/keys/{key_id}/rotate": "nothing that is more than itself (test_bestowal)",
    "DELETE /v1/keys/{key_id}": "no operator's key, none that it descends from (test_bestowal)",
    "DELETE /v1/cache": "",
    "DELETE /v1/cache/{entry_id}": "",
}
CHANGES = merged(OF_THE_GATEWAY, "changes")


def test_every_route_that_changes_something_is_known() -> None:
    changing = {
        route
        for route, scope in SCOPES.items()
        if scope not in (None, "operate") and route.split()[0] not in ("GET", "HEAD")
    }
    assert changing == set(CHANGES)


def context(principal: Principal) -> Context:
    return Context(principal)


async def test_who_asked_for_a_call_does_not_approve_it_by_a_key_that_it_made(opened: Stores) -> None:
    boss, _ = await opened.keys.create("boss", tenant="acme", scopes=frozenset({"admin"}))
    other, _ = await opened.keys.create("other", tenant="acme", scopes=frozenset({"admin"}))
    made, _ = await opened.keys.create("made", tenant="acme", scopes=frozenset({"approve"}), maker=boss.principal())
    new, _ = await opened.keys.rotate("acme", other.id)
    operator = Principal("acme", boss.id, frozenset({"admin", "operate"}))

    async def waits(principal: Principal) -> str:
        call = ToolCall("call_1", "pay", json.dumps({"amount": 5}))
        return (await opened.approvals.request(call, "shop", context(principal), 60)).id

    for asker, decider in ((boss, boss), (boss, made), (other, new)):
        with pytest.raises(Forbidden, match="calls of itself"):
            await opened.approvals.decide(context(decider.principal()), await waits(asker.principal()), approve=True)
    # Whoever made a program's key decides on what the program asks for; so does an operator on anything.
    for who, asker in ((boss.principal(), made), (operator, boss), (made.principal(), other)):
        done = await opened.approvals.decide(context(who), await waits(asker.principal()), approve=True)
        assert done.status == "approved"


@pytest.mark.parametrize("filtered", [True, False])
async def test_another_policy_of_guards_is_not_a_tenants_to_choose(filtered: bool) -> None:
    access = access_to(Keys(), 30.0)
    routes = replays.router(None, None, access, Idempotency(Kept()))  # type: ignore[arg-type]
    app = create_app([routes], GatewaySettings(), lambda _: TraceParent.new())
    body = {"policy": "lax", **({"filter": {"limit": 1}} if filtered else {"answer_id": "ans_1"})}
    for secret in ("ms-replay", "ms-all"):
        reply = await ask(app, "POST", "/v1/replays", body, headers={"authorization": f"Bearer {secret}"})
        assert (reply.status, reply.error["code"]) == (403, "insufficient_scope")
        assert "operate" in reply.error["message"]
