"""Input of an attacker for the features: agents, hosted tools, memory, desk, mail, content, insights, support."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from _hostile import MODEL, SIZE, Input, given

CHATS = "/v1/chat/completions"
SETTINGS = {
    "MAINSPRING_CHANNELS__EMAIL__ENABLED": "true",
    "MAINSPRING_CHANNELS__EMAIL__ADDRESS": "support@example.com",
    "MAINSPRING_SUPPORT__SHOP": "sample",
    "MAINSPRING_CHANNELS__WEBHOOKS": json.dumps({"hostile": {"secret": "0123456789abcdef"}}),
}
"""Channels and the sample shop are off by default."""
TEXTS = {
    "words": "another word, and then one. ",
    "one letter": "x",
    "typos": "teh qick brwon fxo jmups ovre ",
    "sums": "1+(2*3)-4/5^6 ",
    "brackets": "((((",
    "orders": "W2378156 and ORD-1234567, #99 ",
    "addresses": "a@b.co ",
    "wishes": "Cancel my order and refund me. No, exchange it. ",
    "quotes": "> On Monday you wrote: ",
    "combining marks": "e\u0301\u0301\u0301",
}


def features() -> Iterator[Input]:
    """All of them."""
    yield from _applications()
    yield from _agents()
    yield from _hosted()
    yield from _desk()
    yield from _mail()
    yield from _memory()
    yield from _content()
    yield from _lists()


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _applications() -> Iterator[Input]:
    """The applications that read a message by rules before, or in place of, a model."""
    for model in ("assistant", "support"):
        for name, text in TEXTS.items():
            for size in (6_000, 200_000):
                said = [{"role": "user", "content": text * (size // len(text))}]
                made = partial(body, model=model, messages=said, max_tokens=1)
                yield Input(f"{model}: {size:,} characters of {name}", "POST", CHATS, made)
        turns = [{"role": ("user", "assistant")[n % 2], "content": "Cancel W2378156."} for n in range(10_001)]
        yield Input(f"{model}: 10,000 turns", "POST", CHATS, partial(body, model=model, messages=turns, max_tokens=1))
        tools = [{"type": "function", "function": {"name": f"f{n}", "parameters": {}}} for n in range(2_000)]
        said = [{"role": "user", "content": "Hi"}]
        yield Input(f"{model}: 2,000 tools", "POST", CHATS, partial(body, model=model, messages=said, tools=tools))


def _agents() -> Iterator[Input]:
    deep: dict[str, Any] = {"name": "a"}
    for _ in range(90):
        deep = {"name": "a", "type": "sequential", "sub_agents": [deep]}
    wide = {"name": "a", "type": "parallel", "sub_agents": [{"name": f"a{n}"} for n in range(30_000)]}
    many = {"name": "a", "type": "parallel", "sub_agents": [{"name": f"a{n}"} for n in range(50)]}
    for _ in range(2):
        many = {"name": "a", "type": "parallel", "sub_agents": [many] * 50}
    definitions: dict[str, Any] = {
        "agents within agents": deep,
        "30,000 agents": wide,
        "50 to the third agents": many,
        "30,000 tools": {"name": "a", "tools": ["collection"] * 30_000},
        "30,000 unknown fields": {"name": "a", **{f"f{n}": 1 for n in range(30_000)}},
        "an instruction of 8 MB": {"name": "a", "instruction": "x{y}" * (SIZE // 4)},
        "an instruction of 25,000 braces": {"name": "a", "instruction": "{y}" * 25_000},
        "rules of slow patterns": {
            "name": "a",
            "rules": [{"pattern": "(a*)*" * 300 + "b", "say": "no"} for _ in range(100)],
        },
        "a schema of 3,000 alternatives": {"name": "a", "output_schema": {"anyOf": [{"type": "string"}] * 3_000}},
        "an MCP server of a local address": {"name": "a", "tools": [{"mcp": {"url": "http://127.0.0.1:1/"}}]},
    }
    for name, definition in definitions.items():
        yield Input(f"an agent of {name}", "POST", "/v1/agents", given(body(definition=definition)))
    slow = definitions["rules of slow patterns"] | {"name": "slow", "model": MODEL}
    yield Input("an agent to be asked", "POST", "/v1/agents", given(body(definition=slow)))
    said = [{"role": "user", "content": "a" * 4_000}]
    yield Input("an agent of slow patterns, asked", "POST", CHATS, given(body(model="slow", messages=said)))
    long = {"company": "c" * 200, "role": "r" * 200, "scope": "{s}" * 30_000, "model": MODEL}
    yield Input("a playbook's brief of 90,000 characters", "POST", "/v1/agents/draft", given(body(**long)))
    for field in ("params", "id", "jsonrpc"):
        rpc = {"jsonrpc": "2.0", "id": 1, "method": "message/send", field: [[1]] * 30_000}
        yield Input(f"a2a: {field} of 30,000 lists", "POST", "/a2a", given(json.dumps(rpc).encode()))
    parts = {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": "a"}] * 20_000}
    rpc = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": parts}}
    yield Input("a2a: 20,000 parts", "POST", "/a2a", given(json.dumps(rpc).encode()))
    calls = json.dumps([{"jsonrpc": "2.0", "id": n, "method": "tools/list"} for n in range(20_000)]).encode()
    yield Input("mcp: 20,000 calls at once", "POST", "/mcp", given(calls))


def _hosted() -> Iterator[Input]:
    server = {"type": "mcp", "server_label": "l", "server_url": "https://127.0.0.1:1/", "require_approval": "never"}
    made: dict[str, list[dict[str, Any]]] = {
        "128 servers": [{**server, "server_label": f"l{n}"} for n in range(128)],
        "20,000 permitted tools": [{**server, "allowed_tools": [f"t{n}" for n in range(20_000)]}],
        "20,000 headers": [{**server, "headers": {f"h{n}": "v" for n in range(20_000)}}],
        "a header of 8 MB": [{**server, "headers": {"a": "v" * (SIZE - 1_000)}}],
        "an address of 100,000 characters": [{**server, "server_url": "https://" + "a." * 50_000}],
        "20,000 stores": [{"type": "file_search", "vector_store_ids": [f"vs_{n}" for n in range(20_000)]}],
        "20,000 files": [
            {
                "type": "code_interpreter",
                "container": {"type": "auto", "file_ids": [f"file-{n}" for n in range(20_000)]},
            }
        ],
        "20,000 domains": [
            {"type": "web_search", "filters": {"allowed_domains": [f"d{n}.example" for n in range(20_000)]}}
        ],
    }
    for name, tools in made.items():
        yield Input(
            f"hosted tools: {name}", "POST", "/v1/responses", partial(body, model=MODEL, input="Hi", tools=tools)
        )
    decided = [
        {"type": "mcp_approval_response", "approval_request_id": f"mcpr_{n}", "approve": True} for n in range(10_000)
    ]
    yield Input(
        "hosted tools: 10,000 approvals",
        "POST",
        "/v1/responses",
        partial(body, model=MODEL, input=decided, tools=[server]),
    )


def _desk() -> Iterator[Input]:
    path = "/v1/desk/cases"
    for name, text in TEXTS.items():
        made = {"subject": "s" * 300, "body": (text * 20_000)[:20_000], "reason": (text * 2_000)[:2_000]}
        yield Input(f"desk: a case of {name}", "POST", path, given(body(**made)))
        yield Input(f"desk: a search for {name}", "GET", f"{path}?q=" + "%25" * 200, bytes, ())
    wide = {"subject": "s", "references": {f"k{n}": "v" for n in range(30_000)}}
    yield Input("desk: 30,000 references", "POST", path, given(body(**wide)))
    yield Input(
        "desk: 2,000 queues asked for", "GET", f"{path}?" + "&".join(f"queue=q{n}" for n in range(2_000)), bytes
    )
    yield Input("desk: 30,000 queues of a person", "POST", "/v1/desk/next", given(body(queues=["q"] * 30_000)))
    message = json.dumps({"conversation": "c", "from": "f", "text": "x" * 250_000}).encode()
    kind = ("content-type", "application/json")
    signed = (kind, ("webhook-id", "m"), ("webhook-timestamp", "1"), ("webhook-signature", "v1," + "A" * 10_000))
    for name, sent in (("250 KB", message), ("8 MB", b"x" * SIZE), ("brackets", b"[" * 250_000)):
        yield Input(f"desk: an unsigned message of {name}", "POST", "/v1/desk/webhooks/hostile", given(sent), signed)


def _mail() -> Iterator[Input]:
    head = b"From: a@b.example\r\nTo: support@example.com\r\nMessage-ID: <%d@b>\r\nSubject: s\r\n"
    part = b"--m\r\nContent-Type: text/plain\r\n\r\na\r\n"
    nested = b""
    for n in range(2_000):
        nested += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
    made = {
        "8 MB of words": b"\r\n" + b"another word " * (SIZE // 13),
        "8 MB of quotations": b"\r\n" + b"> " * (SIZE // 2),
        "one line of On": b"\r\n" + b"On " * 2_000_000,
        "8 MB of brackets in a field": b"X: " + b"(" * SIZE + b"\r\n\r\na",
        "400,000 fields": b"X: y\r\n" * 400_000 + b"\r\na",
        "100,000 parts": b"Content-Type: multipart/mixed; boundary=m\r\n\r\n" + part * 100_000 + b"--m--",
        "parts within parts": nested,
        "references": b"References: " + b"<a@b> " * 300_000 + b"\r\n\r\na",
        "encoded words": b"X: " + b"=?utf-8?q?a?= " * 300_000 + b"\r\n\r\na",
        "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"YWFh\r\n" * 500_000,
        "tags": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 500_000,
    }
    kind = (("content-type", "message/rfc822"),)
    for number, (name, rest) in enumerate(made.items()):
        sent = (head % number + rest)[: 9 * 2**20]
        yield Input(f"desk: a mail of {name}", "POST", "/v1/desk/mail", given(sent), kind)


def _memory() -> Iterator[Input]:
    yield Input("memory: consent", "PUT", "/v1/memories/consent", given(body(consent=True)))
    for name, text in TEXTS.items():
        yield Input(f"memory: {name}", "POST", "/v1/memories", given(body(text=(text * 4_000)[:4_000])))
        asked = given(body(query=(text * 4_000)[:4_000], limit=100))
        yield Input(f"memory: a search for {name}", "POST", "/v1/memories/search", asked)
    facts = " ".join(f"I like thing{n}. My sister {n} lives in Rome." for n in range(4_000))
    said = [{"role": "user", "content": facts}]
    yield Input(
        "memory: 4,000 facts in a message", "POST", CHATS, given(body(model=MODEL, messages=said, max_tokens=1))
    )


def _content() -> Iterator[Input]:
    path = "/v1/content/articles"
    for name, text in TEXTS.items():
        brief = {"topic": (text * 2_000)[:2_000], "keywords": [(text * 400)[:400]] * 100, "approval": True}
        yield Input(f"content: a brief of {name}", "POST", path, given(body(**brief)))
    many = {
        "keywords": ["k"] * 30_000,
        "questions": ["q"] * 30_000,
        "collections": ["c"] * 30_000,
        "documents": [f"d{n}" for n in range(30_000)],
        "domains": ["d.example"] * 30_000,
    }
    for name, values in many.items():
        yield Input(f"content: 30,000 {name}", "POST", path, given(body(topic="t", **{name: values})))
    sections = [{"heading": "h", "questions": ["q"]}] * 20_000
    plan = given(body(plan={"title": "t", "sections": sections}))
    yield Input("content: a plan of 20,000 sections", "POST", f"{path}/x/approve", plan)
    notebook = {"name": "n", "collection": "hostile", "documents": [f"d{n}" for n in range(500)]}
    yield Input("content: a notebook of 500 documents", "POST", "/v1/content/notebooks", given(body(**notebook)))


def _lists() -> Iterator[Input]:
    """Lists with everything that can be asked of them."""
    for path in (
        *("/v1/insights/summary", "/v1/insights/topics", "/v1/insights/gaps", "/v1/insights/conversations"),
        *("/v1/insights/faq", "/v1/content/articles", "/v1/memories", "/v1/desk/cases", "/v1/agents/runs"),
        *("/v1/agents", "/v1/approvals", "/v1/conversations/x/items"),
    ):
        for query in (
            "limit=100",
            "skip=1000000&limit=100",
            "days=3650",
            "from=0&to=99999999999",
            "after=" + "z" * 9_000,
        ):
            yield Input(f"{path}?{query[:24]}", "GET", f"{path}?{query}", bytes, ())
    yield Input("insights: a look at all conversations", "POST", "/v1/insights/run", lambda: b"{}")
    yield Input("insights: drafts of 3,650 days", "POST", "/v1/insights/faq", given(body(days=3650, limit=200)))
    item = {"type": "message", "role": "user", "content": "a" * 100_000}
    yield Input("conversations: 80 items", "POST", "/v1/conversations", given(body(items=[item] * 80)))
    files = {"files": [{"path": f"f{n}.py", "content": "x"} for n in range(20_000)]}
    yield Input("code: 20,000 files", "POST", "/v1/code/workspaces/x/files", given(body(**files)))
    prefix = {"prefix": "(" * 200_000, "suffix": ")" * 200_000, "language": "python"}
    yield Input("code: a completion within 400,000 brackets", "POST", "/v1/code/complete", given(body(**prefix)))
