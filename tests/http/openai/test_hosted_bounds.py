"""What a request may send along to an MCP server has bounds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mainspring.http.openai.hosted.tools import McpToolBody

TOOL = {"type": "mcp", "server_label": "l", "server_url": "https://mcp.example/"}


def test_a_header_may_have_so_many_characters() -> None:
    fits = McpToolBody.model_validate({**TOOL, "headers": {"x-token": "v" * 16_384}})
    assert fits.headers == {"x-token": "v" * 16_384}
    with pytest.raises(ValidationError, match=r"headers\.x-token"):
        McpToolBody.model_validate({**TOOL, "headers": {"x-token": "v" * 16_385}})
