"""curl, as the pages of an interface show it: JSON, streams, files, errors."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from checks import BASE, COLLECTION, EMBEDDER, KEY, QUESTION, SCRIPTED, URL, check, run


def curl(path, body=None, *more, key=KEY, base=BASE):
    """(status, headers in lower case, body)."""
    sent = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    allowed = ["-H", f"Authorization: Bearer {key}"] if key else []
    command = [shutil.which("curl"), "-sS", "-i", "-N", base + path, *allowed, *sent, *more]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    head, _, content = ran.stdout.replace("\r\n", "\n").partition("\n\n")
    if head.startswith("HTTP/1.1 100"):
        head, _, content = content.partition("\n\n")
    first, *lines = head.splitlines()
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), content


def chat(text, **more):
    return {"model": SCRIPTED, "messages": [{"role": "user", "content": text}]} | more


@check("chat.create")
def _():
    status, headers, content = curl("/chat/completions", chat("SAY yes"))
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    assert headers["x-request-id"]
    assert json.loads(content)["choices"][0]["message"]["content"] == "yes"


@check("chat.stream")
def _():
    _, headers, content = curl("/chat/completions", chat("SAY one two", stream=True))
    assert headers["content-type"].startswith("text/event-stream")
    assert content.strip().endswith("data: [DONE]")


@check("chat.x_api_key")
def _():
    assert curl("/chat/completions", chat("SAY yes"), "-H", f"x-api-key: {KEY}", key="")[0] == 200


@check("chat.ignored_is_named")
def _():
    _, headers, _ = curl("/chat/completions", chat("SAY yes", prompt_cache_key="k", safety_identifier="ada"))
    assert "prompt_cache_key" in headers["x-mainspring-ignored"]


@check("responses.create")
def _():
    _, _, content = curl("/responses", {"model": COLLECTION, "input": QUESTION})
    assert "9 months" in content


@check("messages.create")
def _():
    body = {"model": SCRIPTED, "max_tokens": 50, "messages": [{"role": "user", "content": "SAY yes"}]}
    status, headers, content = curl("/messages?beta=true", body, "-H", "anthropic-version: 2023-06-01")
    assert status == 200
    assert headers["request-id"]
    assert json.loads(content)["content"][0]["text"] == "yes"


@check("embeddings.create")
def _():
    _, _, content = curl("/embeddings", {"model": EMBEDDER, "input": "one"})
    assert len(json.loads(content)["data"][0]["embedding"]) == 384


@check("files.upload")
def _():
    text = Path(tempfile.mkdtemp()) / "tea.txt"
    text.write_text("Green tea.")
    _, _, content = curl("/files", None, "-F", "purpose=assistants", "-F", f"file=@{text}")
    assert json.loads(content)["filename"] == "tea.txt"


@check("health.open")
def _():
    assert curl("/health", base=URL)[0] == 200
    assert curl("/healthz", base=URL)[0] == 200


@check("rerank.root")
def _():
    body = {"model": "late:all-minilm-l6-v2", "query": "tea", "documents": ["green tea", "a stone"]}
    assert curl("/rerank", body, base=URL)[0] == 200


@check("errors.no_key")
def _():
    status, headers, content = curl("/models", key="")
    assert status == 401
    assert headers["www-authenticate"]
    assert json.loads(content)["error"]["code"]


@check("errors.method")
def _():
    status, headers, _ = curl("/embeddings")
    assert status == 405
    assert "post" in headers["allow"]


@check("errors.not_json")
def _():
    status, _, content = curl("/chat/completions", None, "-d", "{", "-H", "Content-Type: application/json")
    assert status == 400
    assert json.loads(content)["error"]["message"]


if __name__ == "__main__":
    run("curl")
