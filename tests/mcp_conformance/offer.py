"""The tools, resources and prompts that the suite asks a server for, as one more offer of ours.

The suite says what each must answer. They are defined with the official library, since that is what its helpers are
for; the transport, the access checks, the composition and the errors are those of our server.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import mcp.types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from mainspring.features.mcp.server.offers import Call, Offer, Page, Result
from tests.mcp_conformance.rounds import elicit, said, stateful, stateless, text, wants

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SOUND = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


class SuiteOffer(Offer):
    """What the suite asks for, behind the handlers of the library's server."""

    def __init__(self) -> None:
        suite = MCPServer("suite", version="1")
        for define in (_contents, _during, _changes, _asking, stateless, stateful, _resources, _prompts):
            define(suite)
        self._inner = suite._lowlevel_server
        self.headers = {"test_x_mcp_header": _tool(suite, "test_x_mcp_header").parameters}

    async def _ask(self, method: str, call: Call, params: Any) -> Any:
        entry = self._inner.get_request_handler(method)
        assert entry is not None
        return await entry.handler(call.request, params)

    async def tools(self, call: Call) -> Sequence[types.Tool]:
        found = await self._ask("tools/list", call, types.PaginatedRequestParams())
        return list(found.tools)

    def input_schema(self, name: str) -> dict[str, Any] | None:
        return self.headers.get(name)

    async def call_tool(self, call: Call, params: types.CallToolRequestParams) -> Result | None:
        if params.name not in {each.name for each in await self.tools(call)}:
            return None
        found: Result = await self._ask("tools/call", call, params)
        return found

    async def resources(self, call: Call, cursor: str | None) -> Page:
        return (await self._ask("resources/list", call, types.PaginatedRequestParams())).resources, None

    async def templates(self, call: Call) -> Sequence[types.ResourceTemplate]:
        found = await self._ask("resources/templates/list", call, types.PaginatedRequestParams())
        return list(found.resource_templates)

    async def read(self, call: Call, params: types.ReadResourceRequestParams) -> types.ReadResourceResult | None:
        if not str(params.uri).startswith("test://") or "nonexistent" in str(params.uri):
            return None
        found: types.ReadResourceResult = await self._ask("resources/read", call, params)
        return found

    async def prompts(self, call: Call, cursor: str | None) -> Page:
        return (await self._ask("prompts/list", call, types.PaginatedRequestParams())).prompts, None

    async def prompt(
        self, call: Call, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult | None:
        if not params.name.startswith("test_"):
            return None
        found: types.GetPromptResult = await self._ask("prompts/get", call, params)
        return found

    async def complete(self, call: Call, params: types.CompleteRequestParams) -> Sequence[str] | None:
        if isinstance(params.ref, types.PromptReference) and params.ref.name.startswith("test_"):
            return [each for each in ("paris", "park", "party") if each.startswith(params.argument.value)]
        return None


def _tool(server: MCPServer, name: str) -> Any:
    return server._tool_manager._tools[name]


def _embedded(uri: str, text: str, kind: str = "text/plain") -> types.EmbeddedResource:
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=kind, text=text)
    )


def _picture() -> types.ImageContent:
    return types.ImageContent(type="image", data=PICTURE, mime_type="image/png")


def _contents(suite: MCPServer) -> None:
    """Each kind of content."""

    @suite.tool()
    def test_simple_text() -> str:
        """Text."""
        return "This is a simple text response for testing."

    @suite.tool()
    def test_image_content() -> list[types.ImageContent]:
        """A picture."""
        return [_picture()]

    @suite.tool()
    def test_audio_content() -> list[types.AudioContent]:
        """A sound."""
        return [types.AudioContent(type="audio", data=SOUND, mime_type="audio/wav")]

    @suite.tool()
    def test_embedded_resource() -> list[types.EmbeddedResource]:
        """A resource."""
        return [_embedded("test://embedded-resource", "This is an embedded resource content.")]

    @suite.tool()
    def test_multiple_content_types() -> list[types.TextContent | types.ImageContent | types.EmbeddedResource]:
        """Text, a picture and a resource."""
        data = _embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
        return [text("Multiple content types test:"), _picture(), data]

    @suite.tool()
    def test_error_handling() -> str:
        """Fails."""
        raise ToolError("This tool intentionally returns an error for testing")

    @suite.tool()
    def test_x_mcp_header(region: str = Field("", json_schema_extra={"x-mcp-header": "Region"})) -> str:
        """An argument that is repeated in a header."""
        return f"region={region}"

    @suite.tool()
    def json_schema_2020_12_tool() -> str:
        """A schema of all keywords."""
        return "ok"

    _tool(suite, "json_schema_2020_12_tool").parameters = SCHEMA


def _during(suite: MCPServer) -> None:
    """What is told while a tool runs."""

    @suite.tool()
    async def test_tool_with_logging(ctx: Context) -> str:
        """Logs three lines."""
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
            await asyncio.sleep(0.05)
        return "Tool with logging executed successfully"

    @suite.tool()
    async def test_logging_tool(ctx: Context) -> str:
        """Logs what a client hears that asked for it."""
        await ctx.info("Nobody hears this who did not ask")
        return "logged"

    @suite.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Tells its progress."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"Completed step {done} of 100")
            await asyncio.sleep(0.05)
        return "done"


def _changes(suite: MCPServer) -> None:
    """Tools that change what there is, or how they are heard."""

    @suite.tool()
    async def test_trigger_tool_change(ctx: Context) -> str:
        """Has one more tool for a moment."""
        suite.add_tool(lambda: "dynamic", name="test_dynamic_tool", description="dynamic")
        await asyncio.sleep(0.5)
        suite.remove_tool("test_dynamic_tool")
        return "tool list changed"

    @suite.tool()
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """Has one more prompt for a moment."""
        from mcp.server.mcpserver.prompts.base import Prompt

        def dynamic() -> str:
            return "dynamic"

        suite.add_prompt(Prompt.from_function(dynamic, name="test_dynamic_prompt", description="dynamic"))
        await asyncio.sleep(0.5)
        suite.remove_prompt("test_dynamic_prompt")
        return "prompt list changed"

    @suite.tool()
    async def test_missing_capability(ctx: Context) -> str:
        """Needs a client whose model can be asked."""
        can = ctx.session.client_capabilities
        if can is None or can.sampling is None:
            needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "The client cannot sample", needed)
        return "It can."

    @suite.tool()
    async def test_reconnection(ctx: Context) -> str:
        """Closes its stream in the middle."""
        await ctx.close_sse_stream()
        await asyncio.sleep(0.2)
        return "Reconnection test completed"


class Answer(BaseModel):
    response: str = Field(description="User's response")


class Defaults(BaseModel):
    name: str = Field(default="John Doe", description="User name")
    age: int = Field(default=30, description="User age")
    score: float = Field(default=95.5, description="User score")
    status: str = Field(default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = Field(default=True, description="Verification status")


_LEVELS = [
    {"const": value, "title": title} for value, title in (("low", "Low"), ("medium", "Medium"), ("high", "High"))
]
_KINDS = [
    {"const": value, "title": title}
    for value, title in (("feature", "New Feature"), ("bug", "Bug Fix"), ("docs", "Documentation"))
]


class Choices(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})  # noqa: N815
    titledSingle: str = Field(json_schema_extra={"oneOf": _LEVELS})  # type: ignore[dict-item]  # noqa: N815
    untitledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"type": "string", "enum": ["read", "write", "execute"]}}
    )
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _KINDS}})  # type: ignore[dict-item]  # noqa: N815
    legacyEnum: str = Field(  # noqa: N815
        json_schema_extra={"enum": ["small", "medium", "large"], "enumNames": ["Small", "Medium", "Large"]}
    )


def _asking(suite: MCPServer) -> None:
    """What a server asks of its client (2025-11-25)."""

    @suite.tool()
    async def test_sampling(prompt: str, ctx: Context) -> str:
        """Asks the client's model."""
        message = types.SamplingMessage(role="user", content=text(prompt))
        found = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
        content = found.content
        return f"LLM response: {content.text if isinstance(content, types.TextContent) else ''}"

    async def asked(ctx: Context, message: str, schema: type[BaseModel]) -> str:
        found = await ctx.elicit(message=message, schema=schema)
        content = found.data.model_dump_json() if found.action == "accept" else "{}"
        return f"action={found.action}, content={content}"

    @suite.tool()
    async def test_elicitation(message: str, ctx: Context) -> str:
        """Asks the user."""
        return f"User response: {await asked(ctx, message, Answer)}"

    @suite.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Asks with defaults."""
        return f"Elicitation completed: {await asked(ctx, 'Please provide user information', Defaults)}"

    @suite.tool()
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Asks for choices."""
        return f"Elicitation completed: {await asked(ctx, 'Please choose', Choices)}"


def _resources(suite: MCPServer) -> None:
    @suite.resource("test://static-text")
    def static_text() -> str:
        """Text."""
        return "This is the content of the static text resource."

    @suite.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """A picture."""
        return base64.b64decode(PICTURE)

    @suite.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002
        """One of many."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @suite.resource("test://watched-resource")
    def watched() -> str:
        """One that can be watched."""
        return "Watched resource content"


def _prompts(suite: MCPServer) -> None:
    def user(content: Any) -> Any:
        from mcp.server.mcpserver.prompts.base import UserMessage

        return UserMessage(role="user", content=content)

    @suite.prompt()
    def test_simple_prompt() -> list[Any]:
        """Without arguments."""
        return [user(text("This is a simple prompt for testing."))]

    @suite.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[Any]:
        """With two arguments."""
        return [user(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]

    @suite.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:  # noqa: N803
        """With a resource."""
        return [
            user(_embedded(resourceUri, "Embedded resource content for testing.")),
            user(text("Please process the embedded resource above.")),
        ]

    @suite.prompt()
    def test_prompt_with_image() -> list[Any]:
        """With a picture."""
        return [user(_picture()), user(text("Please analyze the image above."))]

    @suite.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> list[Any] | types.InputRequiredResult:
        """Asks before it answers."""
        if context := said(ctx.input_responses, "user_context", "context"):
            return [user(text(f"Use the following context: {context}"))]
        schema = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}
        return wants(user_context=elicit("What context should the prompt use?", schema))
