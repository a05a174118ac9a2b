"""Every documented field of OpenAI's and Anthropic's requests is a field of our bodies: honoured, accepted as a hint or
refused by its name.

The documentation is the installed clients' own types. A route that is registered and has a body is compared, nested
types too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from anthropic import types as anthropic
from anthropic.types import beta as anthropic_beta
from anthropic.types import messages
from anthropic.types.beta import messages as beta_messages
from openai import types as openai
from openai.types import audio, chat, conversations, evals, fine_tuning, responses, uploads, vector_stores
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from scripts import fields_page, routes_page
from typing_extensions import get_type_hints, is_typeddict

from mainspring.http.bodies import Body
from mainspring.http.fields import Types, bodies_in, kind_of
from mainspring.http.openai.hosted.tools import CodeInterpreterToolBody, McpToolBody, WebSearchToolBody

DOCUMENTED: Mapping[str, tuple[Any, ...]] = {
    "POST /v1/chat/completions": (chat.CompletionCreateParams,),
    "POST /v1/completions": (openai.CompletionCreateParams,),
    "POST /v1/embeddings": (openai.EmbeddingCreateParams,),
    "POST /v1/moderations": (openai.ModerationCreateParams,),
    "POST /v1/files": (openai.FileCreateParams,),
    "POST /v1/batches": (openai.BatchCreateParams,),
    "POST /v1/vector_stores": (openai.VectorStoreCreateParams,),
    "POST /v1/vector_stores/{store_id}": (openai.VectorStoreUpdateParams,),
    "POST /v1/vector_stores/{store_id}/search": (openai.VectorStoreSearchParams,),
    "POST /v1/vector_stores/{store_id}/files": (vector_stores.FileCreateParams,),
    "POST /v1/vector_stores/{store_id}/files/{file_id}": (vector_stores.FileUpdateParams,),
    "POST /v1/vector_stores/{store_id}/file_batches": (vector_stores.FileBatchCreateParams,),
    "POST /v1/responses": (responses.ResponseCreateParams,),
    "POST /v1/responses/input_tokens": (responses.InputTokenCountParams,),
    "POST /v1/responses/compact": (responses.ResponseCompactParams,),
    "POST /v1/uploads": (openai.UploadCreateParams,),
    "POST /v1/uploads/{upload_id}/complete": (openai.UploadCompleteParams,),
    "POST /v1/uploads/{upload_id}/parts": (uploads.PartCreateParams,),
    "POST /v1/images/generations": (openai.ImageGenerateParams,),
    "POST /v1/images/edits": (openai.ImageEditParams,),
    "POST /v1/images/variations": (openai.ImageCreateVariationParams,),
    "POST /v1/audio/speech": (audio.SpeechCreateParams,),
    "POST /v1/audio/transcriptions": (audio.TranscriptionCreateParams,),
    "POST /v1/audio/translations": (audio.TranslationCreateParams,),
    "POST /v1/chat/completions/{completion_id}": (chat.CompletionUpdateParams,),
    "POST /v1/conversations": (conversations.ConversationCreateParams,),
    "POST /v1/conversations/{conversation_id}": (conversations.ConversationUpdateParams,),
    "POST /v1/conversations/{conversation_id}/items": (conversations.ItemCreateParams,),
    "POST /v1/fine_tuning/jobs": (fine_tuning.JobCreateParams,),
    "POST /v1/evals": (openai.EvalCreateParams,),
    "POST /v1/evals/{eval_id}": (openai.EvalUpdateParams,),
    "POST /v1/evals/{eval_id}/runs": (evals.RunCreateParams,),
    "POST /v1/messages/batches": (messages.BatchCreateParams, beta_messages.BatchCreateParams),
    "POST /v1/messages": (anthropic.MessageCreateParams, anthropic_beta.MessageCreateParams),
    "POST /v1/messages/count_tokens": (anthropic.MessageCountTokensParams, anthropic_beta.MessageCountTokensParams),
}
# Sent as headers or as parts of the path.
ELSEWHERE = {"betas", "user_profile_id", "workspace_id", "vector_store_id"}
OTHER_SHAPES = {"POST /v1/agents", "POST /v1/agents/{name}", "POST /v1/sessions/{session_id}"}
"""The clients have routes of these names for agents that run at their makers'. Ours take agents and sessions of our
own."""
CALL = re.compile(r"(post|put|get_api_list)\(\s*(?:path_template\(\s*)?f?\"(/[^\"?]*)")
"""How the clients' modules name a route, after ``self._``."""


application = cache(fields_page.application)


@cache
def routes() -> dict[str, fields_page.Taken]:
    return {each.route: each for each in fields_page.taken(application())}


@pytest.mark.parametrize("route", DOCUMENTED)
def test_every_documented_field_is_known(route: str) -> None:
    taken = routes().get(route)
    if taken is None:
        pytest.skip(f"{route} is not served")
    found = {name for each in DOCUMENTED[route] for documented in dicts_in(each) for name in lacking(documented, taken)}
    assert sorted(found) == []


@pytest.mark.parametrize(
    ("documented", "body"),
    [
        (responses.web_search_tool_param.WebSearchToolParam, WebSearchToolBody),
        (responses.web_search_preview_tool_param.WebSearchPreviewToolParam, WebSearchToolBody),
        (responses.tool_param.Mcp, McpToolBody),
        (responses.tool_param.CodeInterpreter, CodeInterpreterToolBody),
    ],
)
def test_every_documented_field_of_a_hosted_tool_is_known(documented: Any, body: type[BaseModel]) -> None:
    assert sorted(lacking(documented, fields_page.Taken("", body))) == []


def test_no_route_of_theirs_is_left_out() -> None:
    """The clients' modules tell which routes are theirs."""
    known = {unnamed(route) for route in (*DOCUMENTED, *OTHER_SHAPES)}
    assert known <= theirs()
    assert {unnamed(route) for route in routes()} & theirs() <= known


@cache
def theirs() -> frozenset[str]:
    """Routes that the clients post to, without the names of parameters. Only OpenAI's base address ends in ``/v1``."""
    found = set()
    for client, base in ((openai, "/v1"), (anthropic, "")):
        for module in Path(str(client.__file__)).parents[1].joinpath("resources").rglob("*.py"):
            for piece in module.read_text(encoding="utf-8").split("self._"):
                call = CALL.match(piece)
                # A list that is asked for with a body is fetched with ``method="post"``.
                if call and (call[1] != "get_api_list" or 'method="post"' in piece):
                    method = "PUT" if call[1] == "put" else "POST"
                    found.add(unnamed(f"{method} {base}{call[2]}"))
    return frozenset(found)


def unnamed(route: str) -> str:
    return re.sub(r"\{.*?\}", "{}", route)


def test_what_is_neither_honoured_nor_named_is_found() -> None:
    """The comparison can fail: a body without a field of the documentation, at the top and within another."""

    class Part(Body):
        type: Literal["text"]

    class Wire(Body):
        role: str
        content: list[Part]

    class Ask(Body):
        model: str
        messages: list[Wire]

    found = set(lacking(chat.completion_create_params.CompletionCreateParamsNonStreaming, fields_page.Taken("", Ask)))
    assert {"temperature", "messages.name", "messages.content.text"} <= found
    assert not {"model", "messages.role", "messages.content.type", "messages.content.image_url"} & found


def test_the_pages_are_what_the_code_says() -> None:
    """`make format` writes them."""
    for script in (fields_page, routes_page):
        assert script.PAGE.read_text(encoding="utf-8") == script.page(application()), script.PAGE.name
    told = routes_page.PAGE.read_text(encoding="utf-8")
    assert "| `/v1/vector_stores` | GET: chat; POST: ingest |" in told
    assert "| `/healthz` | GET: no key |" in told


def lacking(documented: Any, taken: fields_page.Taken) -> Iterator[str]:
    if taken.body is None:
        return iter(keys(documented).keys() - {each.partition("[")[0] for each in taken.form} - ELSEWHERE)
    return (name for name in _lacking(documented, [taken.body], "", ()) if name not in taken.query)


def _lacking(documented: Any, bodies: list[type[BaseModel]], place: str, above: tuple[Any, ...]) -> Iterator[str]:
    for name, annotation in keys(documented).items():
        fields = [info for body in bodies for each, info in body.model_fields.items() if _named(info, each) == name]
        if not fields and name not in ELSEWHERE:
            yield f"{place}{name}"
        inner = [body for info in fields if kind_of(info)[0] == "honoured" for body in bodies_in(info.annotation)]
        for each in dicts_in(annotation):
            if each not in above and (fitting := _of_type(each, inner)):
                yield from _lacking(each, fitting, f"{place}{name}.", (*above, each))


def _named(info: FieldInfo, name: str) -> str:
    """The name of a field in the documentation: lists of forms are sent under names that end with brackets."""
    return (info.alias or name).removesuffix("[]")


def _of_type(documented: Any, bodies: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """Those of ``bodies`` that take values of this type; a type that none takes is refused by its name."""
    told = {name: get_args(each) for name, each in keys(documented).items() if get_origin(each) is Literal}
    fitting = []
    for body in bodies:
        known = {name: _types(info) for name, info in body.model_fields.items() if name in told}
        if all(not values or set(told[name]) & values for name, values in known.items()):
            fitting.append(body)
    return fitting


def _types(info: FieldInfo) -> set[Any]:
    marked = {value for mark in info.metadata if isinstance(mark, Types) for value in mark.read}
    return marked or _literals(info.annotation)


def _literals(annotation: Any) -> set[Any]:
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {value for each in get_args(annotation) for value in _literals(each)}


@cache
def keys(documented: Any) -> dict[str, Any]:
    """The keys of a typed dictionary as they are sent, with their types."""
    found = {}
    for name, annotation in get_type_hints(documented, include_extras=True).items():
        aliases = (getattr(each, "alias", None) for each in _marks(annotation))
        found[next(filter(None, aliases), name)] = get_type_hints(documented)[name]
    return found


def _marks(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for each in get_args(annotation):
        yield from _marks(each)


def dicts_in(annotation: Any) -> Iterator[Any]:
    if is_typeddict(annotation):
        yield annotation
    for each in get_args(annotation):
        yield from dicts_in(each)
