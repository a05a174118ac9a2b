"""What a body may hold: counted on its bytes, bounded field by field, refused without being repeated at length."""

from __future__ import annotations

import difflib
import json
import types
import typing
from typing import Annotated, Any, cast, get_args, get_origin
from unittest.mock import MagicMock

import annotated_types
import orjson
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, FailFast, Field, ValidationError
from pydantic.fields import FieldInfo

from mainspring.core import structure
from mainspring.core.errors import MAX_MESSAGE, InvalidRequest, TooLarge
from mainspring.core.nearest import MAX_NAME, MAX_NAMES, nearest
from mainspring.core.settings import Settings
from mainspring.feature import features
from mainspring.features.agents.definition import AgentDefinition
from mainspring.features.batches import lines
from mainspring.features.code.complete.completion_options import CompletionOptions
from mainspring.features.content.shapes import ArticleBody
from mainspring.features.conversations.routes import ConversationItemsBody
from mainspring.features.desk.shapes import CaseBody, NextBody
from mainspring.features.mcp.server.tools import RunArguments
from mainspring.features.prompts.routes import MAX_COMPARED, difference
from mainspring.gateway import mount
from mainspring.gateway.identity.key_routes import KeyBody
from mainspring.gateway.knowledge.bodies import StoreBody, StoreFileBody
from mainspring.http.anthropic.requests import MessagesBody
from mainspring.http.bodies import AtMost, Body, Table
from mainspring.http.openai.requests import ChatBody
from mainspring.http.openai.responses_requests import ResponsesBody
from mainspring.http.openai.text_requests import CompletionBody, EmbeddingBody, RerankBody
from tests.gateway.asgi import ask, gateway
from tests.serving.house import Recited

MOST = 100_000
SIZE = 8 * 2**20
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\[]{},é'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='b"\\[{,'), inner, max_size=4),
    max_leaves=40,
)


def counted(value: Any) -> int:
    """Commas between values, and containers."""
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(0, len(value) - 1) + sum(map(counted, inner))


def depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


@given(json_values, st.integers(1, 60), st.booleans())
def test_what_is_counted_is_what_a_parser_finds(value: Any, most: int, plain: bool) -> None:
    text = json.dumps(value, ensure_ascii=plain).encode()
    try:
        structure.check(text, values=most)
        refused = False
    except TooLarge:
        refused = True
    assert refused == (counted(value) >= most)


@given(json_values, st.integers(0, 6))
def test_depth_is_what_a_parser_finds(value: Any, most: int) -> None:
    text = json.dumps(value).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "MAX_DEPTH", most)
        try:
            structure.check(text)
            refused = False
        except InvalidRequest:
            refused = True
    assert refused == (depth(value) > most)


@given(json_values, st.integers(1, 60), st.integers(1, 7))
def test_a_text_in_pieces_is_counted_as_the_whole(value: Any, most: int, size: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    counting, refused = structure.Count(values=most), False
    try:
        for start in range(0, len(text), size):
            counting.add(text[start : start + size])
    except TooLarge:
        refused = True
    assert refused == (counted(value) >= most)


@given(json_values, st.integers(0, 6), st.integers(1, 7))
def test_depth_in_pieces_is_that_of_the_whole(value: Any, most: int, size: int) -> None:
    text = json.dumps(value).encode()
    counting, refused = structure.Count(), False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "MAX_DEPTH", most)
        try:
            for start in range(0, len(text), size):
                counting.add(text[start : start + size])
        except InvalidRequest:
            refused = True
    assert refused == (depth(value) > most)


SHAPES = {
    "numbers": b'{"model":"m","messages":[' + b"1," * (SIZE // 2 - 40) + b"1]}",
    "objects": b'{"model":"m","messages":[' + b"{}," * (SIZE // 3 - 40) + b"{}]}",
    "empty texts": b'{"model":"m","messages":[' + b'"",' * (SIZE // 3 - 40) + b'""]}',
    "lists in lists": b'{"model":"m","messages":' + b"[" * (SIZE - 100),
    "names": b"{" + b",".join(b'"%d":1' % number for number in range(700_000)) + b"}",
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_body_of_much_structure_is_refused_unparsed(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    monkeypatch.setattr(orjson, "loads", lambda text: parsed.append(len(text)))
    reply = await ask(gateway(Recited()), "POST", "/v1/chat/completions", SHAPES[shape])
    assert (reply.status, reply.error["code"]) == (413, TooLarge.code)
    assert not parsed


@pytest.mark.parametrize("shape", ["numbers", "objects", "empty texts", "lists in lists"])
async def test_no_more_of_a_body_is_looked_at_than_shows_that_it_holds_too_much(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    add = structure.Count.add

    def counting(self: structure.Count, piece: bytes) -> None:
        looked.append(len(piece))
        add(self, piece)

    monkeypatch.setattr(structure.Count, "add", counting)
    body = SHAPES[shape]
    pieces = [body[start : start + 2**16] for start in range(0, len(body), 2**16)]
    reply = await ask(gateway(Recited()), "POST", "/v1/chat/completions", pieces=pieces)
    assert reply.status in (400, 413)
    assert 0 < sum(looked) < SIZE // 8
    assert max(looked) <= structure.PIECE


async def test_a_body_in_pieces_is_read_as_the_whole() -> None:
    said = 'so "[{" \\ ' * 20_000
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": said}]}).encode()
    for size in (1001, 65_536):
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        assert (await ask(gateway(Recited()), "POST", "/v1/chat/completions", pieces=pieces)).status == 200


async def test_a_body_that_nests_deeply_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orjson, "loads", None)
    deep = b'{"model":"m","messages":[],"metadata":' + b'{"a":' * 600 + b"1" + b"}" * 601
    reply = await ask(gateway(Recited()), "POST", "/v1/chat/completions", deep)
    assert (reply.status, reply.error["code"]) == (400, InvalidRequest.code)
    assert "deeper" in reply.error["message"]


async def test_long_texts_with_all_marks_in_them_pass() -> None:
    said = '[{",' * 40_000
    body = {"model": "m", "messages": [{"role": "user", "content": said}]}
    reply = await ask(gateway(Recited()), "POST", "/v1/chat/completions", body)
    assert reply.status == 200


WRONG: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (ChatBody, {"model": "m", "messages": [1] * 90_000}),
    (ChatBody, {"model": "m", "messages": [{"role": "user", "content": [1] * 90_000}]}),
    (ChatBody, {"model": "m", "messages": [{"role": "user", "content": "x"}], "stop": [1] * 90_000}),
    (ChatBody, {"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [1] * 90_000}),
    (ChatBody, {"model": "m", "messages": [], "metadata": {f"m{n}": 1 for n in range(9_000)}}),
    (KeyBody, {"name": "k", "scopes": [1] * 90_000}),
    (StoreBody, {"name": "k", "file_ids": [1] * 90_000}),
    (StoreFileBody, {"file_id": "f", "attributes": {f"{n}": [] for n in range(9_000)}}),
    (CompletionBody, {"model": "m", "prompt": [{}] * 90_000}),
    (EmbeddingBody, {"model": "m", "input": [{}] * 90_000}),
    (RerankBody, {"model": "m", "query": "q", "documents": [1] * 90_000}),
    (CaseBody, {"subject": "s", "references": {f"{n}": 1 for n in range(9_000)}}),
    (NextBody, {"queues": [1] * 90_000}),
    (CompletionOptions, {f"x{n}": 1 for n in range(9_000)}),
    (CompletionOptions, {"open_files": [{f"x{n}": 1 for n in range(9_000)}]}),
    (RunArguments, {f"x{n}": 1 for n in range(9_000)}),
    (AgentDefinition, {"sub_agents": [{f"x{n}": 1 for n in range(9_000)}]}),
    (ArticleBody, {"topic": "t", "documents": [1] * 90_000}),
    (ConversationItemsBody, {"items": [1] * 90_000}),
    (ResponsesBody, {"model": "m", "input": [1] * 90_000}),
    (ResponsesBody, {"model": "m", "input": "x", "include": [1] * 90_000}),
    (MessagesBody, {"model": "m", "max_tokens": 1, "messages": [1] * 90_000}),
    (MessagesBody, {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [1] * 90_000}]}),
]


@pytest.mark.parametrize(("kind", "body"), WRONG)
def test_what_is_wrong_with_a_list_is_reported_once(kind: type[BaseModel], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as failure:
        kind.model_validate(body)
    # One for each member of a union.
    assert failure.value.error_count() <= 4


def unbounded(annotation: Any, place: str, metadata: tuple[Any, ...] = (), seen: frozenset[type] = frozenset()) -> Any:
    """The places within ``annotation`` at which a list or a table has no bound."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation.model_config.get("extra") == "forbid" and not issubclass(annotation, Body):
            # A validator tells of every field that it does not know.
            yield place
        if annotation not in seen:
            for name, field in annotation.model_fields.items():
                yield from of_field(field, f"{place}.{name}", seen | {annotation})
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        more = [part for each in arguments[1:] for part in (each.metadata if isinstance(each, FieldInfo) else [each])]
        yield from unbounded(arguments[0], place, (*metadata, *more), seen)
        return
    if origin is typing.Literal:
        return
    if origin in (list, tuple, dict, set, frozenset) or annotation in (list, tuple, dict, set, frozenset):
        bounds = [each.max_length for each in metadata if isinstance(each, annotated_types.MaxLen)]
        kinds = {type(each) for each in metadata}
        early = AtMost if dict in (origin, annotation) else FailFast
        if not bounds or min(bounds) > MOST or early not in kinds:
            yield place
        metadata = ()
    inner = metadata if origin in (typing.Union, types.UnionType) else ()
    for argument in arguments:
        yield from unbounded(argument, place, inner, seen)


def of_field(field: FieldInfo, place: str, seen: frozenset[type]) -> Any:
    yield from unbounded(field.annotation, place, tuple(field.metadata), seen)


def test_every_list_and_table_that_a_route_takes_has_a_bound(everything: list[APIRoute]) -> None:
    found: dict[str, None] = {}
    looked = 0
    for route in everything:
        for param in (*route.dependant.body_params, *route.dependant.query_params, *route.dependant.header_params):
            looked += 1
            for place in of_field(param.field_info, f"{route.path}: {param.name}", frozenset()):
                found[place] = None
    assert looked > 200
    assert {"/v1/desk/cases", "/v1/content/articles", "/v1/insights/faq"} <= {route.path for route in everything}
    assert not found


def test_every_number_with_a_fraction_that_a_query_takes_has_a_bound(everything: list[APIRoute]) -> None:
    # A time beyond the calendar is an error of the platform wherever it becomes a date.
    found, looked = set(), 0
    for route in everything:
        for dependant in (route.dependant, *route.dependant.dependencies):
            for param in dependant.query_params:
                if float in (param.field_info.annotation, *get_args(param.field_info.annotation)):
                    looked += 1
                    if not any(
                        isinstance(each, annotated_types.Le | annotated_types.Lt) for each in param.field_info.metadata
                    ):
                        found.add(f"{route.path}: {param.name}")
    assert looked > 10
    assert not found


class Loose(BaseModel):
    many: list[int]
    named: dict[str, Annotated[list[int], Field(max_length=3, fail_fast=True)]] | None
    good: Annotated[tuple[str, ...], Field(max_length=4, fail_fast=True)] = ()
    late: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    table: Table[int]
    plain: Annotated[dict[str, int], Field(max_length=4)]


def test_that_search_finds_what_has_no_bound() -> None:
    assert list(unbounded(Loose, "x")) == ["x.many", "x.named", "x.late", "x.plain"]


async def test_a_long_unknown_field_is_neither_compared_nor_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(difflib, "get_close_matches", lambda word, *_, **__: compared.append(word))
    for body in (
        {"model": "m", "x" * 10**6: 1},
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "y" * 10**6}]}]},
        {"model": "m", "messages": [{"role": "user", "content": "x"}], "metadata": {"z" * 10**6: 1}},
        {"model": "m", "messages": [{"role": "user", "content": "x"}], "tool_choice": "w" * 10**6},
    ):
        reply = await ask(gateway(Recited()), "POST", "/v1/chat/completions", body)
        assert reply.status == 400
        assert len(reply.body) < MAX_MESSAGE + 1000
    assert not compared


def test_only_short_names_are_compared_and_with_few() -> None:
    known = [f"name{number}" for number in range(MAX_NAMES)]
    assert nearest("nmae7", [*known, "nmae7x"]) != "nmae7x"
    assert nearest("temprature", ["temperature"]) == "temperature"
    assert nearest("temperature" * MAX_NAME, ["temperature"]) == ""


def test_an_error_is_cut() -> None:
    error = InvalidRequest("m" * 10**6, remedy="r" * 10**6, param="p" * 10**6)
    assert len(str(error)) < 3 * MAX_MESSAGE
    assert len(error.param or "") < 1000


def test_a_line_of_a_batch_has_the_structure_of_a_body() -> None:
    line = b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"input":[%s1]}}' % (b"1," * MOST)
    (error,) = lines.read(line, "/v1/embeddings", 10).errors
    assert (error["code"], error["line"]) == ("invalid_json_line", 1)


def test_a_batch_of_blank_lines_is_refused_early() -> None:
    (error,) = lines.read(b"\n" * 4 * 10**6, "/v1/embeddings", 10).errors
    assert "blank" in error["message"]
    assert error["line"] <= 10 + lines.MAX_BLANK + 1


def test_lines_of_a_batch_are_kept_as_bytes() -> None:
    text = b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"input":["x"]}}'
    (line,) = lines.read(b"\n" + text + b"\n", "/v1/embeddings", 10).lines
    assert line.text.strip() == text
    assert line.body == {"input": ["x"]}


def test_differences_of_many_lines_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ["a", "b", "c"]
    assert difference(few, ["a", "x", "c"], "p@1", "p@2") == list(
        difflib.unified_diff(few, ["a", "x", "c"], "p@1", "p@2", lineterm="")
    )
    monkeypatch.setattr(difflib, "SequenceMatcher", None)
    many = [str(number) for number in range(2 * MAX_COMPARED)]
    assert difference(many, [*many[:-2], "new", many[-1]], "p@1", "p@2")[2:] == [
        f"@@ -{2 * MAX_COMPARED - 1},1 +{2 * MAX_COMPARED - 1},1 @@",
        f"-{many[-2]}",
        "+new",
    ]
    assert difference(many, many, "p@1", "p@2") == []
    assert difference(many, [*many, "z"], "p@1", "p@2")[-1] == "+z"


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> list[APIRoute]:
    """All routes with those of features, over no services: only what they declare is looked at."""
    monkeypatch.setattr(mount, "create_app", lambda routers, *_: routers)
    system = MagicMock()
    system.settings = Settings()
    system.features = features()
    routers = cast(list[APIRouter], mount.mount(system))
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
