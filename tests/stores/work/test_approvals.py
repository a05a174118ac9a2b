from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import Conflict, Forbidden, NotFound
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal, ToolCall
from mainspring.stores.sql.pages import Page
from mainspring.stores.work import approvals

CALL = ToolCall("c1", "send_mail", '{"to": "ana"}')


def by(key: str, *groups: str, tenant: str = "acme", scopes: str = "approve") -> Context:
    return Context(Principal(tenant, key, frozenset({scopes}), frozenset(groups)))


async def test_a_call_is_decided_once_and_handed_out_once(tmp_path: Path) -> None:
    asker, boss = by("asker", scopes="chat"), by("boss")
    async with stores.open(Settings(home=tmp_path)) as opened:
        waits = await opened.approvals.request(CALL, "chat", asker, 60)
        assert (await opened.approvals.take(asker, waits.id, "chat")).status == "pending"
        with pytest.raises(Forbidden):
            await opened.approvals.decide(by("asker"), waits.id, approve=True)
        # Whoever was killed here has lost nothing.
    async with stores.open(Settings(home=tmp_path)) as opened:
        assert (await opened.approvals.get(boss.principal, waits.id)).call == CALL
        decided = await opened.approvals.decide(boss, waits.id, approve=True, note="fine")
        assert (decided.status, decided.decided_by, decided.note) == ("approved", "boss", "fine")
        with pytest.raises(Conflict, match="approved already"):
            await opened.approvals.decide(boss, waits.id, approve=False)
        with pytest.raises(NotFound):
            await opened.approvals.take(asker, waits.id, "another")
        both = await asyncio.gather(
            *(opened.approvals.take(asker, waits.id, "chat") for _ in range(2)), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in both) == ["Approval", "Conflict"]
        assert next(each.call for each in both if not isinstance(each, BaseException)) == CALL
        after = await opened.approvals.get(boss.principal, waits.id)
        assert (after.status, after.call.arguments, after.sha256) == ("taken", "", waits.sha256)
        told = await opened.events.find("acme", kind="approval")
        assert [each.facts.plain()["action"] for each in told] == ["requested", "approved", "taken"]
        assert CALL.arguments not in repr(told)
        entries = (await opened.audit.page("acme", Page(order="asc"))).rows
        assert [(each.action, each.object) for each in entries] == [("approval.approved", waits.id)]


async def test_denied_and_expired_calls_are_never_handed_out(tmp_path: Path) -> None:
    asker, boss = by("asker", scopes="chat"), by("boss")
    async with stores.open(Settings(home=tmp_path)) as opened:
        denied = await opened.approvals.request(CALL, "chat", asker, 60)
        late = await opened.approvals.request(CALL, "chat", asker, 0)
        await opened.approvals.decide(boss, denied.id, approve=False)
        with pytest.raises(Conflict, match="expired already"):
            await opened.approvals.decide(boss, late.id, approve=True)
        for each, status in ((denied, "denied"), (late, "expired")):
            found = await opened.approvals.take(asker, each.id, "chat")
            assert (found.status, found.call.arguments) == (status, "")
        page = await opened.approvals.page(boss.principal, Page(), "expired")
        assert [each.id for each in page.rows] == [late.id]
        actions = [each.facts.plain()["action"] for each in await opened.events.find("acme", kind="approval")]
        assert actions.count("expired") == 1


async def test_who_sees_what(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        secret = await opened.approvals.request(CALL, "chat", by("asker", "red"), 60)
        open_ = await opened.approvals.request(CALL, "chat", by("asker"), 60)

        async def seen(context: Context) -> set[str]:
            return {each.id for each in (await opened.approvals.page(context.principal, Page())).rows}

        assert await seen(by("boss", "red", "blue")) == {secret.id, open_.id}
        assert await seen(by("boss", "blue")) == {open_.id}
        assert await seen(by("boss", "red", tenant="rival")) == set()
        with pytest.raises(NotFound):
            await opened.approvals.decide(by("boss"), secret.id, approve=True)
        # Erasing what a trace says takes the call with it.
        trace = by("asker")
        doomed = await opened.approvals.request(CALL, "chat", trace, 60)
        await opened.events.erase("acme", doomed.id)
        assert (await opened.approvals.get(by("boss").principal, doomed.id)).call.arguments == ""


async def test_of_two_that_found_it_approved_one_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a server where transactions write at once: what one of them found is not so any more."""
    asker, boss = by("asker", scopes="chat"), by("boss")
    async with stores.open(Settings(home=tmp_path)) as opened:
        first, second = [await opened.approvals.request(CALL, "chat", asker, 60) for _ in range(2)]
        approved = await opened.approvals.decide(boss, first.id, approve=True)
        await opened.approvals.decide(boss, second.id, approve=False)
        assert (await opened.approvals.take(asker, first.id, "chat")).call == CALL
        found = {first.id: approved, second.id: second}
        monkeypatch.setattr(approvals, "_seen", lambda connection, principal, approval_id: found[approval_id])
        with pytest.raises(Conflict, match="handed out already"):
            await opened.approvals.take(asker, first.id, "chat")
        with pytest.raises(Conflict, match="decided meanwhile"):
            await opened.approvals.decide(boss, second.id, approve=True)
        monkeypatch.undo()
        assert (await opened.approvals.get(boss.principal, second.id)).status == "denied"
