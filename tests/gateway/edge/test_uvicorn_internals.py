"""What we override and use of uvicorn beyond its documented interface.

Uvicorn is pinned to the minor versions that this was tried with: where a test fails after an upgrade, read
``connection.py`` and ``server.py`` beside uvicorn's source.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
from typing import Any

import pytest
import uvicorn
from uvicorn.middleware.proxy_headers import _TrustedHosts
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from mainspring.gateway.edge import connection
from mainspring.gateway.edge.connection import BoundedProtocol
from mainspring.gateway.edge.server import _Server

# What the tests of connections cover: the transport is asyncio's.
_OF = {"cycle": RequestResponseCycle, "flow": FlowControl}


def _used(owner: str = "") -> set[str]:
    """The attributes that ``BoundedProtocol`` reads of itself, or of ``self.<owner>``, or calls of its parent."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(connection.BoundedProtocol))):
        if not isinstance(node, ast.Attribute):
            continue
        read = ast.unparse(node.value)
        if read == (f"self.{owner}" if owner else "self") or (not owner and read == "super()"):
            found.add(node.attr)
    return found


def _made() -> HttpToolsProtocol:
    config = uvicorn.Config(lambda *_: None, lifespan="off", log_config=None)
    return HttpToolsProtocol(config=config, server_state=ServerState(), app_state={})


async def test_the_connection_has_what_ours_reads_and_calls() -> None:
    own = set(vars(BoundedProtocol)) | {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(BoundedProtocol.__init__).strip()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    theirs = _made()
    # These come with the first bytes of a request.
    theirs.on_message_begin()
    used = _used() - (own - set(dir(HttpToolsProtocol)))
    assert {"cycle", "flow", "parser", "pipeline", "transport", "url", "headers", "client", "loop"} <= used
    assert [name for name in sorted(used) if not hasattr(theirs, name)] == []


@pytest.mark.parametrize("owner", _OF)
async def test_requests_and_their_flow_have_what_ours_reads_and_sets(owner: str) -> None:
    flow = FlowControl(asyncio.Transport())
    arguments: dict[str, Any] = dict.fromkeys(inspect.signature(RequestResponseCycle).parameters)
    made = {"cycle": RequestResponseCycle(**arguments), "flow": flow}[owner]
    used = _used(owner)
    assert used
    assert [name for name in sorted(used) if not hasattr(made, name)] == []


@pytest.mark.parametrize(("ours", "theirs"), [(BoundedProtocol, HttpToolsProtocol), (_Server, uvicorn.Server)])
def test_what_is_overridden_is_called_as_before(ours: type, theirs: type) -> None:
    names = [name for name in vars(ours) if not name.startswith("__") and callable(getattr(theirs, name, None))]
    assert names
    for name in names:
        taken = inspect.signature(inspect.unwrap(getattr(theirs, name))).parameters
        assert list(inspect.signature(inspect.unwrap(getattr(ours, name))).parameters) == list(taken), name


def test_status_lines_and_trusted_hosts_are_what_we_take_them_for() -> None:
    assert STATUS_LINE[408] == b"HTTP/1.1 408 Request Timeout\r\n"
    trusted = _TrustedHosts(["127.0.0.1", "10.0.0.0/8"])
    assert "10.1.2.3" in trusted
    assert "192.168.0.1" not in trusted
