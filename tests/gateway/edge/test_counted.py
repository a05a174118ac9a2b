"""Every request is counted under its route, including refused ones, unknown paths and unusual methods."""

from __future__ import annotations

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import TraceParent
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.routes import generate
from mainspring.http.access import access_to
from mainspring.http.idempotency import Idempotency
from tests.gateway.asgi import Kept, Keys, NoModels, ask
from tests.serving.house import Recited


async def test_no_request_goes_uncounted() -> None:
    seen: list[tuple[str, str, int]] = []
    settings = GatewaySettings(max_body_bytes=1000)
    access = access_to(Keys(), settings.request_timeout_s)
    routes = generate.router(Recited(), NoModels(), settings, access, Idempotency(Kept()))  # type: ignore[arg-type]
    app = create_app([routes], settings, lambda header: TraceParent.new(), counted=lambda *each: seen.append(each))
    said = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    path = "/v1/chat/completions"
    for method, target, body, headers in (
        ("POST", path, said, {}),
        ("POST", path, said, {"authorization": "Bearer nobody"}),
        ("POST", path, {"model": 1}, {}),
        ("POST", path, b"x" * 2000, {}),
        ("GET", "/v1/no/such/route", b"", {}),
        ("DELETE", path, b"", {}),
        ("BREW", path, b"", {}),
    ):
        await ask(app, method, target, body, headers=headers)
    assert [(method, status) for method, _, status in seen] == [
        ("POST", 200),
        ("POST", 401),
        ("POST", 400),
        ("POST", 413),
        ("GET", 404),
        ("DELETE", 405),
        ("other", 405),
    ]
    named = {route for _, route, status in seen if status in (200, 400, 401)}
    # What was asked is the caller's to choose, so that only routes there are make names.
    assert named == {path}
    assert {route for _, route, status in seen if status in (404, 413)} == {"none"}
