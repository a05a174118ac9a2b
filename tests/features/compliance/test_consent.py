"""Whether a request may be learnt from: no by default, by key, header or metadata, recorded on all of its events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_cards_never_stored import scripted
from tests.world import World, opened

__all__ = ["scripted"]
CHAT = "/v1/chat/completions"


async def said(world: World, secret: str, path: str = CHAT, **more: Any) -> tuple[int, list[bool]]:
    headers = {"authorization": f"Bearer {secret}", **more.pop("headers", {})}
    body: dict[str, Any] = {"model": "echo", **more}
    if path == CHAT:
        body["messages"] = [{"role": "user", "content": "hello"}]
    answer = await world.client.post(path, json=body, headers=headers)
    if answer.status_code != 200:
        return answer.status_code, []
    found = await world.system.stores.events.find("default", trace_id=answer.headers["x-trace-id"])
    assert {"answer", "call"} <= {each.kind for each in found}
    return 200, [each.consent for each in found]


@pytest.mark.parametrize("own", [False, True])
async def test_what_says_so(tmp_path: Path, own: bool) -> None:
    async with opened(tmp_path / "home") as world:
        _, secret = await world.system.stores.keys.create("k", scopes=frozenset({"chat"}), consent=own)
        yes, no = {"x-training-consent": "true"}, {"x-training-consent": "false"}
        for more, consents in (
            ({}, own),
            ({"headers": yes}, True),
            ({"headers": no}, False),
            ({"metadata": {"training_consent": "true"}}, True),
            ({"metadata": {"training_consent": "false"}, "headers": yes}, False),
            ({"path": "/v1/responses", "input": "hello", "metadata": {"training_consent": "true"}}, True),
            ({"path": "/v1/completions", "prompt": "hello"}, own),
        ):
            status, found = await said(world, secret, **more)
            assert status == 200
            assert set(found) == {consents}, more
        assert (await said(world, secret, headers={"x-training-consent": "yes"}))[0] == 400
        assert (await said(world, secret, metadata={"training_consent": "1"}))[0] == 400
