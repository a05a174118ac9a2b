"""The things that a suite's placeholders stand for, made on the server when a test first asks for one."""

from __future__ import annotations

import io
import json
import re
import time
import wave
from collections.abc import Callable
from typing import Any

import httpx

from tests.clients.suites.forms import Json, Multipart
from tests.image_provider import picture

MODEL, EMBEDDER, DRAWING = "scripted", "all-minilm-l6-v2", "drawing"
_ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "SAY yes"}]}
_SCHEMA = {"type": "object", "properties": {"foo": {"type": "string"}}}
_CHECK = {"type": "string_check", "name": "same", "input": "{{item.foo}}", "reference": "bar", "operation": "eq"}
_ROWS = {"type": "file_content", "content": [{"item": {"foo": "bar"}}]}
# What ends a thing: each such test has one of its own.
_ENDING = re.compile(r"/(cancel|complete)$")
_ENDED = ("completed", "ended", "failed", "canceled", "cancelled")
Words = dict[str, str]


class Things:
    """One of each kind, and new ones for tests that end theirs."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60)
        self._made: dict[str, Words] = {}
        self._makers: dict[str, Callable[[], Words]] = {
            "chat/completions": self._completion,
            "responses": self._response,
            "conversations": self._conversation,
            "files": self._file,
            "batches": self._batch,
            "messages/batches": self._message_batch,
            "vector_stores": self._store,
            "uploads": self._upload,
            "evals": self._eval,
        }

    def one(self, kind: str, *, fresh: bool = False) -> Words:
        """The ids of a thing and of what is in it, by the names of the parts of a path."""
        if fresh:
            return self._makers[kind]()
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        return self._made[kind]

    def path(self, method: str, path: str) -> str:
        """The path with ids of real things in it."""
        base, _, rest = path.partition("/v1/")
        steps = (rest or base).strip("/").split("/")
        if steps[0] == "models" and len(steps) > 1:
            steps = ["models", MODEL]
        kind = next((each for each in self._makers if "/".join(steps[: each.count("/") + 1]) == each), "")
        at = kind.count("/") + 1
        if kind and len(steps) > at and (kind, steps[at]) not in _ACTIONS:
            if kind == "responses" and steps[-1] == "cancel":
                ids = self._long_response()
            elif kind == "messages/batches" and steps[-1] == "cancel":
                ids = self._message_batch(requests=100, wait=False)
            else:
                ids = self.one(kind, fresh=method == "DELETE" or bool(_ENDING.search(path)) or "parts" in steps)
            steps[at] = ids["id"]
            for place in range(at + 1, len(steps) - 1):
                if steps[place] in ids:
                    steps[place + 1] = ids[steps[place]]
        return "/v1/" + "/".join(steps)

    def filled(self, method: str, path: str, content: Json | Multipart) -> Json | Multipart:
        """The body with real things for its placeholders, and with what OpenAI's server asks for, too."""
        if isinstance(content, Multipart):
            self._fill_form(path, content)
            return content
        body = content.value
        if "model" in body and not path.startswith("/v1/moderations"):
            body["model"] = EMBEDDER if "embeddings" in path else DRAWING if "images" in path else MODEL
        if path in ("/v1/responses", "/v1/responses/input_tokens", "/v1/responses/compact") and method == "POST":
            # All of them are optional in the types, since a prompt's template may bring them.
            body.setdefault("model", MODEL)
            body.setdefault("input", "string")
        if "input_file_id" in body:
            body["input_file_id"] = self.one("batches")["input"]
        if path == "/v1/uploads":
            # The lowest number that their description allows.
            body["bytes"] = body.get("bytes") or 12
        file = self.one("files")["id"] if "file_id" in body or "file_ids" in body or "files" in body else ""
        if "file_id" in body:
            body["file_id"] = file
        if "file_ids" in body:
            body["file_ids"] = [file]
        for each in body.get("files") or ():
            if isinstance(each, dict) and "file_id" in each:
                each["file_id"] = file
        if "previous_response_id" in body:
            body["previous_response_id"] = self.one("responses")["id"]
        if "conversation" in body:
            body["conversation"] = self.one("conversations")["id"]
        if "prompt" in body and isinstance(body["prompt"], dict):
            body["prompt"] = {"id": self._prompt(), "variables": {"foo": "string"}}
        if "part_ids" in body:
            body["part_ids"] = [self._part(path.split("/")[3])]
        if any(each.get("url") == "url" for each in body.get("mcp_servers") or ()):
            # There is no server of tools.
            del body["mcp_servers"]
        for each in body.get("requests") or ():
            each["params"]["model"] = MODEL
        for each in body.get("testing_criteria") or ():
            if "model" in each:
                each["model"] = MODEL
        return content

    def _fill_form(self, path: str, form: Multipart) -> None:
        for part in form.parts:
            if part.file and "/audio/" in path:
                part.data = second()
            elif part.file and "/images/" in path:
                part.data = picture(8, 8)
            elif part.name == "model" and "/images/" in path:
                part.data = DRAWING.encode()
            elif part.name == "language":
                part.data = b"en"
            elif part.name == "purpose" and part.data == b"purpose":
                part.data = b"assistants"

    def _post(self, path: str, body: Any = None, **named: Any) -> dict[str, Any]:
        answer = self._client.post(path, json=body, **named) if body is not None else self._client.post(path, **named)
        if answer.is_error:
            raise RuntimeError(f"POST {path}: {answer.text[:300]}")
        return dict(answer.json())

    def _completion(self) -> Words:
        return {"id": self._post("/chat/completions", _ASKED | {"store": True})["id"]}

    def _response(self) -> Words:
        return {"id": self._post("/responses", {"model": MODEL, "input": "SAY yes"})["id"]}

    def _long_response(self) -> Words:
        """One that is still written when it is cancelled."""
        asked = {"model": MODEL, "input": "SAY " + "One more word for the list. " * 2000, "background": True}
        return {"id": self._post("/responses", asked)["id"]}

    def _prompt(self) -> str:
        name = "suite"
        made = self._post(f"/prompts/{name}/versions", {"messages": [{"role": "user", "content": "{{foo}}"}]})
        self._client.put(f"/prompts/{name}/labels/production", json={"version": made["version"]}).raise_for_status()
        return name

    def _conversation(self) -> Words:
        items = [{"type": "message", "role": "user", "content": "Hello"}]
        made = self._post("/conversations", {"items": items})
        listed = self._client.get(f"/conversations/{made['id']}/items").json()
        return {"id": made["id"], "items": listed["data"][0]["id"]}

    def _file(self, data: bytes = b"Example data", purpose: str = "assistants", name: str = "a.txt") -> Words:
        made = self._post("/files", files={"file": (name, data)}, data={"purpose": purpose})
        return {"id": made["id"]}

    def _batch(self) -> Words:
        line = {"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": {"model": MODEL, "input": "SAY a"}}
        file = self._file(json.dumps(line).encode() + b"\n", "batch", "a.jsonl")["id"]
        asked = {"input_file_id": file, "endpoint": "/v1/responses", "completion_window": "24h"}
        return {"id": self._post("/batches", asked)["id"], "input": file}

    def _message_batch(self, requests: int = 1, *, wait: bool = True) -> Words:
        params = _ASKED | {"max_tokens": 10}
        asked = [{"custom_id": f"a{number}", "params": params} for number in range(requests)]
        made = self._post("/messages/batches", {"requests": asked})
        path = f"/messages/batches/{made['id']}"
        if wait:
            self._until(lambda: self._client.get(path).json()["processing_status"] in _ENDED)
        return {"id": made["id"]}

    def _store(self) -> Words:
        store, file = self._post("/vector_stores", {})["id"], self._file()["id"]
        batch = self._post(f"/vector_stores/{store}/file_batches", {"file_ids": [file]})
        path = f"/vector_stores/{store}/files/{file}"
        self._until(lambda: self._client.get(path).json()["status"] in _ENDED)
        return {"id": store, "files": file, "file_batches": batch["id"]}

    def _upload(self) -> Words:
        asked = {"filename": "a.txt", "purpose": "assistants", "bytes": len(b"Example data"), "mime_type": "text/plain"}
        return {"id": self._post("/uploads", asked)["id"]}

    def _part(self, upload: str) -> str:
        return str(self._post(f"/uploads/{upload}/parts", files={"data": ("a", b"Example data")})["id"])

    def _eval(self) -> Words:
        config = {"type": "custom", "item_schema": _SCHEMA}
        made = self._post("/evals", {"data_source_config": config, "testing_criteria": [_CHECK]})["id"]
        run = self._post(f"/evals/{made}/runs", {"data_source": {"type": "jsonl", "source": _ROWS}})["id"]
        path = f"/evals/{made}/runs/{run}"
        self._until(lambda: self._client.get(path).json()["status"] in _ENDED)
        items = self._client.get(f"{path}/output_items").json()["data"]
        return {"id": made, "runs": run, "output_items": items[0]["id"] if items else ""}

    @staticmethod
    def _until(done: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not done() and time.monotonic() < end:
            time.sleep(0.05)


_ACTIONS = {("responses", "compact"), ("responses", "input_tokens"), ("messages/batches", "")}


def second() -> bytes:
    """A recording of silence, as a WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(32_000))
    return target.getvalue()
