"""Input of an attacker: bodies of 8 MB for every route, and input for single rooms."""

from __future__ import annotations

import io
import json
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

SIZE = 8 * 2**20 - 64 * 2**10
MODEL = "smollm2-135m-instruct"
_MB = 2**20
PATIENCE_S = 120.0
"""Seconds that an answer may take."""


@dataclass(frozen=True, slots=True)
class Input:
    """A request; ``body`` is made when it is sent, and left after ``patience_s``: then the server ends its work."""

    name: str
    method: str
    path: str
    body: Callable[[], bytes]
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    patience_s: float = PATIENCE_S


# --- every route ------------------------------------------------------------------------------------------------------


def given(body: bytes) -> Callable[[], bytes]:
    return lambda: body


def filled(item: bytes) -> bytes:
    return b"[" + b",".join([item] * ((SIZE - 2) // (len(item) + 1))) + b"]"


SHAPES: dict[str, Callable[[str], bytes]] = {
    "numbers": lambda field: b'{"%s":%s}' % (field.encode(), filled(b"1")),
    "objects": lambda field: b'{"%s":%s}' % (field.encode(), filled(b"{}")),
    "empty texts": lambda field: b'{"%s":%s}' % (field.encode(), filled(b'""')),
    "brackets": lambda field: b'{"%s":%s}' % (field.encode(), b"[" * SIZE),
    "99,000 numbers": lambda field: b'{"%s":[%s1]}' % (field.encode(), b"1," * 99_000),
    "99,000 objects": lambda field: b'{"%s":[%s{}]}' % (field.encode(), b"{}," * 99_000),
    "one text": lambda field: b'{"%s":"%s"}' % (field.encode(), b"word, [and] " * (SIZE // 12)),
    "a long name": lambda _: b'{"%s":1}' % (b"n" * SIZE),
    "many names": lambda _: b"{%s}" % b",".join(b'"field%d":1' % number for number in range(99_000)),
}


def routes(described: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(method, path, a field that takes a list or a table, else any) of every route that takes JSON."""
    shapes = described["components"]["schemas"]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            shape = content["schema"]
            shape = shapes[shape["$ref"].rsplit("/", 1)[1]] if "$ref" in shape else shape
            fields = shape.get("properties", {"any": {}})
            several = [name for name, field in fields.items() if '"array"' in json.dumps(field)]
            yield method.upper(), _named(path), (several or list(fields))[0]


def _named(path: str) -> str:
    parts = (("x" if part.startswith("{") else part) for part in path.split("/"))
    return "/".join(parts)


# --- single rooms -----------------------------------------------------------------------------------------------------


def chat(**fields: Any) -> bytes:
    return json.dumps(
        {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, **fields}
    ).encode()


def said(text: str) -> bytes:
    return chat(messages=[{"role": "user", "content": text}])


def schema(value: Any) -> bytes:
    return chat(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": value}})


def chained(levels: int, ways: int) -> bytes:
    steps = {f"d{n}": {"anyOf": ways * [{"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)}
    return schema({"$defs": {**steps, f"d{levels}": {"type": "string"}}, "anyOf": [{"$ref": "#/$defs/d0"}]})


def tools(count: int, properties: int) -> bytes:
    made = {f"p{n}": {"type": "string"} for n in range(properties)}
    function = {"name": "f", "strict": True, "parameters": {"type": "object", "properties": made}}
    return chat(tools=[{"type": "function", "function": {**function, "name": f"f{n}"}} for n in range(count)])


def archive(entries: int) -> bytes:
    """An archive of so many empty files, and a document among them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("word/document.xml", "<a/>")
        for number in range(entries):
            made.writestr(zipfile.ZipInfo(f"{number}"), b"")
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("word/document.xml", b"<a>" + b"A" * (900 * _MB))
    return buffer.getvalue()


def upload(data: bytes, name: str, purpose: str = "assistants") -> tuple[bytes, tuple[tuple[str, str], ...]]:
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n--{mark}\r\n'
    head += f'content-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{mark}--\r\n".encode()
    return body, (("content-type", f"multipart/form-data; boundary={mark}"),)


def form(parts: int) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    mark = "m"
    part = f'--{mark}\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n'.encode()
    return part * parts + f"--{mark}--\r\n".encode(), (("content-type", f"multipart/form-data; boundary={mark}"),)


def rooms() -> Iterator[Input]:
    chats = "/v1/chat/completions"
    texts = {
        "words": "another word, and then one. ",
        "one letter": "x",
        "digits": "1234 5678 ",
        "addresses": "a@b.co ",
        "ligatures": "\ufdfa",
        "hidden marks": "\u200b",
        "brackets": "[{",
        "base64": "aGVsbG8gd29ybGQgdGhpcyBpcw ",
    }
    for name, text in texts.items():
        yield Input(f"chat of 8 MB of {name}", "POST", chats, partial(said, text * (SIZE // len(text.encode()))))
        small = 260_000 // len(text)
        yield Input(f"chat of 260,000 characters of {name}", "POST", chats, partial(said, text * small))
    for path in ("/v1/moderations", "/v1/embeddings"):
        model = {} if "moder" in path else {"model": "all-minilm-l6-v2"}
        for name in ("words", "digits", "ligatures"):
            text = texts[name]
            body = json.dumps({**model, "input": text * (SIZE // len(text.encode()) // 2)}, ensure_ascii=False).encode()
            yield Input(f"{path} of 4 MB of {name}", "POST", path, given(body))
        many = json.dumps({**model, "input": ["word " * 400] * 24}).encode()
        yield Input(f"{path} of 24 texts", "POST", path, given(many))
    counted = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "word " * (SIZE // 5)}]}).encode()
    yield Input("counting tokens of 8 MB", "POST", "/v1/messages/count_tokens", lambda: counted)
    yield Input("a schema of 1,300 chained references", "POST", chats, lambda: chained(1_300, 1))
    yield Input("a schema of references that double", "POST", chats, lambda: chained(700, 2))
    yield Input("a schema of 3,000 alternatives", "POST", chats, lambda: schema({"anyOf": [{"type": "string"}] * 3000}))
    yield Input("a schema of 64 expressions", "POST", chats, lambda: schema(expressions()))
    for number in range(6):
        pattern = f"(a{{1,900}}b{{1,900}}){{1,{900 + number}}}"
        body = chat(response_format={"type": "regex", "pattern": pattern})
        yield Input(f"a slow expression ({number + 1})", "POST", chats, given(body))
    yield Input("128 strict tools of 60 KB", "POST", chats, lambda: tools(128, 1_900))
    yield Input("128 strict tools of 4 KB", "POST", chats, lambda: tools(128, 120))
    deep = '{"a":' * 400 + "1" + "}" * 400
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": deep * 1}}
    history = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "y"},
    ]
    yield Input("a tool call of deep arguments", "POST", chats, lambda: chat(messages=history))
    options = json.dumps({"q": [1] * 30_000})
    yield Input("options of 30,000 values", "POST", chats, lambda: chat(options=json.loads(options)))
    yield from _prompts()
    yield from _searches()
    yield from _files()
    yield Input("60 KB of query", "GET", "/v1/files?" + "&".join(f"q{n}=1" for n in range(6_000)), bytes, ())
    headers = tuple((f"x-h{number}", "v" * 200) for number in range(240))
    yield Input("240 headers", "GET", "/v1/models", bytes, headers)


def expressions() -> dict[str, Any]:
    made = {f"p{n}": {"type": "string", "pattern": "a?" * 450 + str(n)} for n in range(64)}
    return {"type": "object", "properties": made}


def _prompts() -> Iterator[Input]:
    path = "/v1/prompts/hostile/versions"
    braces = {"template": "{{a}}" * 39_000}
    yield Input("a prompt of 39,000 variables", "POST", path, lambda: json.dumps(braces).encode())
    for number in range(2):
        lines = "\n".join(str((line * 7919 + number) % 97) for line in range(60_000))
        yield Input(
            f"a prompt of 60,000 lines ({number + 1})",
            "POST",
            path,
            given(json.dumps({"template": lines}).encode()),
        )
    yield Input("the difference of both", "GET", "/v1/prompts/hostile/diff?from=1&to=2", bytes, ())
    names = json.dumps({"template": "".join(f"{{{{v{n}}}}}" for n in range(20_000))}).encode()
    yield Input("a prompt of 20,000 names", "POST", path, lambda: names)


def _searches() -> Iterator[Input]:
    nested: dict[str, Any] = {"type": "eq", "key": "a", "value": 1}
    for _ in range(200):
        nested = {"type": "and", "filters": [nested]}
    wide = {"type": "or", "filters": [{"type": "eq", "key": f"k{n}", "value": n} for n in range(20_000)]}
    among = {"type": "in", "key": "a", "value": [str(n) for n in range(90_000)]}
    for name, filters in (("deep", nested), ("wide", wide), ("of 90,000 values", among)):
        body = json.dumps({"query": "x", "filters": filters}).encode()
        yield Input(f"a search with a filter that is {name}", "POST", "/v1/vector_stores/STORE/search", given(body))


def _files() -> Iterator[Input]:
    made = {
        "an archive of 90,000 files": (archive(90_000), "a.docx"),
        "an archive that unpacks to 900 MB": (bomb(), "a.docx"),
        "8 MB of a JSON document": (filled(b"{}"), "a.json"),
        "8 MB of XML": (b"<a>" + b"<b/>" * (SIZE // 4) + b"</a>", "a.xml"),
        "8 MB of commas": (b"," * SIZE, "a.csv"),
        "8 MB of Markdown": (b"# a\n" * (SIZE // 4), "a.md"),
        "a picture of 10^9 points": (picture(), "a.png"),
    }
    for name, (data, file) in made.items():
        body, headers = upload(data, file)
        yield Input(f"uploading {name}", "POST", "/v1/files", given(body), headers)
        yield Input(f"ingesting {name}", "POST", "/v1/vector_stores/STORE/files", lambda: b'{"file_id":"FILE"}')
    body, headers = form(150_000)
    yield Input("a form of 150,000 parts", "POST", "/v1/files", lambda: body, headers)
    line = b'{"custom_id":"%d","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":["x"]}}\n'
    lines = b"\n" * SIZE, b"".join(line % number for number in range(SIZE // 110)), filled(b"{}")
    for name, data in zip(("blank lines", "lines", "one line of objects"), lines, strict=True):
        body, headers = upload(data, "a.jsonl", "batch")
        yield Input(f"uploading a batch: {name}", "POST", "/v1/files", given(body), headers)
        start = b'{"input_file_id":"FILE","endpoint":"/v1/embeddings","completion_window":"24h"}'
        yield Input(f"starting a batch: {name}", "POST", "/v1/batches", given(start))


def picture() -> bytes:
    """The head of a PNG of 32,000 x 32,000 points, and rows of nothing that pack to little."""

    def piece(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(32_000 * 4_001), 9)
    head = struct.pack(">IIBBBBB", 32_000, 32_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", head) + piece(b"IDAT", rows) + piece(b"IEND", b"")
