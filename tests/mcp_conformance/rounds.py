"""Tools of the suite that need several rounds (2026-07-28)."""

from __future__ import annotations

import json
from typing import Any

import mcp.types as types
from mcp.server.mcpserver import Context, MCPServer

ASKS_NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ASKS_OK = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


def text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


def elicit(message: str, schema: dict[str, Any]) -> types.ElicitRequest:
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(words: str) -> types.CreateMessageRequest:
    messages = [types.SamplingMessage(role="user", content=text(words))]
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=messages, max_tokens=100))


def said(responses: Any, name: str, field: str) -> Any:
    answer = (responses or {}).get(name)
    return (answer.content or {}).get(field) if isinstance(answer, types.ElicitResult) else None


def wants(state: str | None = None, **requests: Any) -> types.InputRequiredResult:
    return types.InputRequiredResult(input_requests=requests, request_state=state)


def stateless(suite: MCPServer) -> None:
    """Tools that need several rounds (2026-07-28)."""

    @suite.tool()
    async def test_input_required_result_elicitation(ctx: Context) -> str | types.InputRequiredResult:
        """Asks for a name."""
        name = said(ctx.input_responses, "user_name", "name")
        return f"Hello, {name}!" if name else wants(user_name=elicit("What is your name?", ASKS_NAME))

    @suite.tool()
    async def test_streaming_elicitation(ctx: Context) -> str | types.InputRequiredResult:
        """Asks for a name while its stream is open."""
        await ctx.report_progress(1, 2)
        name = said(ctx.input_responses, "user_name", "name")
        return f"Hello, {name}!" if name else wants(user_name=elicit("What is your name?", ASKS_NAME))

    @suite.tool()
    async def test_input_required_result_sampling(ctx: Context) -> str | types.InputRequiredResult:
        """Asks a model."""
        answer = (ctx.input_responses or {}).get("capital_question")
        if isinstance(answer, types.CreateMessageResult) and isinstance(answer.content, types.TextContent):
            return f"Model said: {answer.content.text}"
        return wants(capital_question=sample("What is the capital of France?"))

    @suite.tool()
    async def test_input_required_result_list_roots(ctx: Context) -> str | types.InputRequiredResult:
        """Asks for folders."""
        answer = (ctx.input_responses or {}).get("client_roots")
        if isinstance(answer, types.ListRootsResult):
            return f"Client exposed {len(answer.roots)} root(s)."
        return wants(client_roots=types.ListRootsRequest())


def stateful(suite: MCPServer) -> None:
    """Tools that keep a state between their rounds."""

    @suite.tool()
    async def test_input_required_result_request_state(ctx: Context) -> str | types.InputRequiredResult:
        """Has a state."""
        if ctx.input_responses and "confirm" in ctx.input_responses and ctx.request_state == "nonce":
            return "state-ok: confirmation received"
        return wants("nonce", confirm=elicit("Please confirm", ASKS_OK))

    @suite.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context) -> str | types.InputRequiredResult:
        """Asks three at once."""
        if {"user_name", "greeting", "client_roots"} <= set(ctx.input_responses or {}):
            return "All inputs received."
        return wants(
            "all",
            user_name=elicit("What is your name?", ASKS_NAME),
            greeting=sample("Generate a greeting"),
            client_roots=types.ListRootsRequest(),
        )

    @suite.tool()
    async def test_input_required_result_multi_round(ctx: Context) -> str | types.InputRequiredResult:
        """Asks twice."""
        state = json.loads(ctx.request_state) if ctx.request_state else {"round": 0}
        if state["round"] == 1 and (name := said(ctx.input_responses, "step1", "name")):
            colour = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
            kept = json.dumps({"round": 2, "name": name})
            return wants(kept, step2=elicit("Step 2: What is your favorite color?", colour))
        if state["round"] == 2 and (color := said(ctx.input_responses, "step2", "color")):
            return f"{state['name']} likes {color}."
        return wants(json.dumps({"round": 1}), step1=elicit("Step 1: What is your name?", ASKS_NAME))

    @suite.tool()
    async def test_input_required_result_tampered_state(ctx: Context) -> str | types.InputRequiredResult:
        """Has a state that nobody may change."""
        if ctx.request_state is not None:
            return f"state-ok: {ctx.request_state}"
        return wants("round-1", confirm=elicit("Please confirm", ASKS_OK))

    @suite.tool()
    async def test_input_required_result_capabilities(ctx: Context) -> types.InputRequiredResult:
        """Asks for no more than the client can do."""
        can = ctx.client_capabilities
        requests: dict[str, Any] = {}
        if can is None or can.sampling is not None:
            requests["sample"] = sample("Say hello")
        if can is None or can.elicitation is not None:
            requests["ask"] = elicit("What is your name?", ASKS_NAME)
        return wants("gated", **requests)
