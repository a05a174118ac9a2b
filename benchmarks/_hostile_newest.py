"""Input of an attacker for what learns and measures: data sets, judges, evals, the lake, arenas, translation, mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from _hostile import MODEL, SIZE, Input, given, upload
from _hostile_features import TEXTS, body


def newest() -> Iterator[Input]:
    """All of them."""
    yield from _datasets()
    yield from _judges()
    yield from _evals()
    yield from _lake()
    yield from _definitions()
    yield from _translation()
    yield from _compose()


def _datasets() -> Iterator[Input]:
    path = "/v1/datasets/hostile/versions"
    kinds: dict[str, list[dict[str, Any]]] = {
        "1,000 rows of 7 KB": [{"question": f"q{n} " + "w " * 3_500, "reference": "a"} for n in range(1_000)],
        "10,000 rows": [{"question": f"question {n}", "reference": "a", "tags": {"k": "v"}} for n in range(10_000)],
        "equal rows": [{"question": "the same"}] * 10_000,
        "a row of 90,000 fields": [{"question": "q", **{f"f{n}": 1 for n in range(90_000)}}],
        "rows of 90,000 sources": [{"question": "q", "sources": [f"s{n}" for n in range(90_000)]}],
        "rows of 90,000 messages": [{"messages": [{"role": "user", "content": "x"}] * 30_000}],
    }
    for name, rows in kinds.items():
        yield Input(f"data sets: {name}", "POST", path, partial(body, examples=rows))
    yield Input("data sets: split", "POST", "/v1/datasets/hostile/split", lambda: b"{}")
    for shown in ("examples?limit=500&search=w", "diff?old=1", "versions?limit=100", "export", "export?shape=openai"):
        yield Input(f"data sets: {shown}", "GET", f"/v1/datasets/hostile/{shown}", bytes, ())
    lines = b"\n".join(b'{"question":"q%d","reference":"a"}' % n for n in range(200_000))[:SIZE]
    sent, kind = upload(lines, "rows.jsonl")
    yield Input("data sets: a file of 200,000 rows (1)", "POST", "/v1/files", given(sent), kind)
    asked = {"answer_ids": [f"ans_{n}" for n in range(30_000)]}
    yield Input("data sets: traces of 30,000 answers", "POST", path, given(body(traces=asked)))


def _judges() -> Iterator[Input]:
    item = {"question": "q" * 90_000, "answer": "a" * 90_000}
    for name, text in TEXTS.items():
        one = {"question": (text * 20_000)[:20_000], "answer": (text * 60_000)[:60_000], "passages": [text * 100] * 50}
        yield Input(f"judges: an answer of {name}", "POST", "/v1/judges/copied/run", partial(body, items=[one]))
    yield Input("judges: 64 long items", "POST", "/v1/judges/copied/run", partial(body, items=[item] * 40))
    many = [{"question": "q", "answer": f"a{n}", "label": 1} for n in range(5_000)]
    yield Input("judges: 5,000 labelled items", "POST", "/v1/judges/copied/measure", partial(body, items=many))
    alike = {"question": "q", "answers": ["a b c " * 15_000] * 10}
    yield Input("judges: ten long answers", "POST", "/v1/judges/copied/run", partial(body, items=[alike]))
    rubric = {"kind": "model", "model": MODEL, "instruction": "{x}" * 30_000, "scale": [f"w{n}" for n in range(9_000)]}
    yield Input("judges: a rubric of 90,000 characters", "PUT", "/v1/judges/hostile", given(body(**rubric)))
    deep: dict[str, Any] = {"kind": "jury", "members": []}
    for _ in range(60):
        deep = {"kind": "jury", "members": [deep] * 2}
    wide = {"kind": "jury", "members": [{"kind": "model", "model": MODEL}] * 20_000}
    yield Input("judges: a jury of 20,000", "PUT", "/v1/judges/hostile", partial(body, **wide))


def _evals() -> Iterator[Input]:
    config = {"type": "custom", "item_schema": {"type": "object"}, "include_sample_schema": False}
    grader = {"type": "string_check", "name": "g", "input": "{{item.x}}", "reference": "{{item.x}}", "operation": "eq"}
    wide = {"properties": {f"p{n}": {"type": "string"} for n in range(20_000)}, "type": "object"}
    slow = {"type": "string", "pattern": "(a*)*" * 300 + "b"}
    made: dict[str, dict[str, Any]] = {
        "a schema of 20,000 fields": {
            "data_source_config": config | {"item_schema": wide}, "testing_criteria": [grader],
        },
        "a schema of slow patterns": {
            "data_source_config": config | {"item_schema": {"properties": {"x": slow}}}, "testing_criteria": [grader],
        },
        "20,000 graders": {"data_source_config": config, "testing_criteria": [grader] * 20_000},
        "a template of 2 MB": {
            "data_source_config": config, "testing_criteria": [grader | {"input": "{{item.x}}" * 200_000}],
        },
    }  # fmt: skip
    for name, asked in made.items():
        yield Input(f"evals: {name}", "POST", "/v1/evals", partial(body, **asked))
    items = [{"item": {"x": "w " * 300}} for _ in range(10_000)]
    source = {"type": "jsonl", "source": {"type": "file_content", "content": items}}
    yield Input("evals: a run of 10,000 items", "POST", "/v1/evals/eval_x/runs", partial(body, data_source=source))
    scorers = [{"scorer": "contains", "options": {"values": ["x" * 1_000] * 900}}] * 8
    yield Input(
        "experiments: wide options", "POST", "/v1/experiments", partial(body, dataset="hostile", scorers=scorers)
    )


def _lake() -> Iterator[Input]:
    asked = {
        "nested brackets": "SELECT " + "(" * 4_000 + "1" + ")" * 4_000,
        "ten thousand columns": "SELECT " + ", ".join("1" for _ in range(6_000)),
        "endless rows": "SELECT * FROM range(1000000000) a, range(1000000000) b",
        "a long text": "SELECT repeat('x', 1000000000)",
        "a deep union": " UNION ALL ".join(["SELECT 1"] * 1_000),
        "a slow pattern": "SELECT regexp_matches(repeat('a', 100000), '(a*)*b')",
        "a file": "SELECT * FROM read_csv('/etc/passwd')",
    }
    for name, query in asked.items():
        yield Input(f"lake: {name}", "POST", "/v1/lake/sql", given(body(query=query)))
    keys = [{"entity": "user", "id": f"u{n}"} for n in range(1_000)]
    yield Input("lake: features of 1,000 users", "POST", "/v1/lake/features/read", given(body(keys=keys)))
    for shown in ("lineage?trace_id=" + "t" * 128, "summary", "builds?limit=100", "exports?limit=1000"):
        yield Input(f"lake: {shown[:20]}", "GET", f"/v1/lake/{shown}", bytes, ())


def _definitions() -> Iterator[Input]:
    """What is defined once, by long lists and tables of everything."""
    long = {f"f{n}": "v" for n in range(60_000)}
    many = [{"name": f"n{n}", "model": MODEL} for n in range(20_000)]
    for method, path, field in (
        ("PUT", "/v1/arena/hostile", "responders"),
        ("POST", "/v1/trials/hostile", "arms"),
        ("POST", "/v1/review/queues", "criteria"),
        ("PUT", "/v1/improve/policies/hostile", "applications"),
        ("POST", "/v1/variants", "value"),
        ("POST", "/v1/training/jobs", "options"),
        ("POST", "/v1/fine_tuning/jobs", "hyperparameters"),
        ("POST", "/v1/advice", "ways"),
        ("POST", "/v1/imports", "files"),
        ("POST", "/v1/lake/exports", "applications"),
    ):
        yield Input(f"{path}: 60,000 fields", method, path, partial(body, **long))
        yield Input(f"{path}: 20,000 {field}", method, path, partial(body, name="h", **{field: many}))
        yield Input(f"{path}: a table of {field}", method, path, partial(body, name="h", **{field: long}))
    tasks = [{"id": n, "data": {"text": "x" * 200}, "annotations": [{"result": []}]} for n in range(20_000)]
    yield Input(
        "review: 20,000 tasks", "POST", "/v1/review/queues/q/label_studio", given(json.dumps(tasks).encode()[:SIZE])
    )


def _translation() -> Iterator[Input]:
    path = "/v1/translate"
    for name, text in TEXTS.items():
        said = (text * 100_000)[:100_000]
        yield Input(f"translate: 100,000 characters of {name}", "POST", path, partial(body, text=said, target="fr"))
        yield Input(
            f"translate: what 100,000 of {name} are",
            "POST",
            f"{path}/detect",
            partial(body, text=(text * 10**6)[: 10**6]),
        )
    for kind, text in {
        "html": "<div " * 20_000, "markdown": "[" * 99_000, "json": "[" * 400 + '"a"' + "]" * 400,
        "text": ".\n" * 50_000,
    }.items():  # fmt: skip
        asked = partial(body, document=text[:100_000], format=kind, source="en", target="fr")
        yield Input(f"translate: {kind} of nothing else", "POST", path, asked)
    words = {f"term {n}": f"terme {n}" for n in range(200)}
    asked = partial(body, text="term 1 and term 2. " * 5_000, source="en", target="fr", glossary=words)
    yield Input("translate: 200 terms", "POST", path, asked)
    yield Input("translate: 1,000 texts", "POST", path, partial(body, texts=["a b"] * 1_000, source="en", target="fr"))


def _compose() -> Iterator[Input]:
    for name, text in TEXTS.items():
        asked = partial(body, body=(text * 50_000)[:50_000], subject="s" * 1_000, suggestions=5)
        yield Input(f"compose: a mail of {name}", "POST", "/v1/compose", asked)
    yield Input("compose: consent", "PUT", "/v1/compose/personal", given(body(consent=True)))
    for name, text in TEXTS.items():
        sent = given(body(text=(text * 20_000)[:20_000]))
        yield Input(f"compose: an own mail of {name}", "POST", "/v1/compose/personal", sent)
    yield Input("compose: with own phrases", "POST", "/v1/compose", given(body(body="I would like to know")))
