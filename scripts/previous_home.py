#!/usr/bin/env python3
"""Makes a home that tests/test_upgrade.py opens: one that an earlier version of mainspring wrote.

    git worktree add /tmp/previous COMMIT
    python scripts/previous_home.py /tmp/previous tests/data/home-SCHEMA.tar.gz

The server of that commit is asked over HTTP, so this works with the code of any version that has these routes.
``told.json`` in the archive says what is in the home.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

MODEL = "smollm2-135m-instruct"
QUESTION = "How long is the warranty of the Marigold lantern?"
GUIDE = """# Lanterns

## Care

Trim the wick of the Marigold lantern every 40 hours. Use paraffin, never petrol.

## Warranty

The Marigold lantern has a warranty of seven years.
"""
SMALL = {"MAINSPRING_MODELS__LARGER": ""}


class Home:
    """A server of another version, over a home of its own."""

    def __init__(self, tree: Path, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}
        environment = {**kept, **SMALL, "MAINSPRING_HOME": str(home), "PYTHONPATH": str(tree / "src")}
        command = [sys.executable, "-m", "mainspring", "up", "--port", "0"]
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            command, env=environment, text=True, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if "admin key" in line.lower():
                break
        address, key = re.search(r"serves on (http://\S+)", said), re.search(r"hashed: (ms-\S+)", said)
        if address is None or key is None:
            raise SystemExit(f"the server did not start:\n{said}")
        self.address, self.key = address[1], key[1]
        while True:
            try:
                self.call("GET", "/readyz")
            except OSError:
                time.sleep(0.2)
            else:
                break

    def call(self, method: str, path: str, body: Any = None, key: str = "", kind: str = "application/json") -> Any:
        """What a route answers, from JSON. Raises ``OSError`` for a refusal."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {key or self.key}", "content-type": kind}
        request = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310 - the server's
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    def upload(self, name: str, text: str, purpose: str, key: str) -> str:
        """The id of a new file."""
        part = "--B\r\nContent-Disposition: form-data; name="
        whole = f'{part}"purpose"\r\n\r\n{purpose}\r\n{part}"file"; filename="{name}"\r\n\r\n{text}\r\n--B--\r\n'
        return str(self.call("POST", "/v1/files", whole.encode(), key, "multipart/form-data; boundary=B")["id"])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def fill(home: Home) -> dict[str, str]:
    """What the test looks for, by name."""
    scopes = ["chat", "embed", "ingest", "prompts"]
    made = home.call("POST", "/v1/keys", {"name": "reader", "scopes": scopes})
    key = made["secret"]
    told = {"admin": home.key, "secret": key}
    file_id = home.upload("lanterns.md", GUIDE, "assistants", key)
    store = home.call("POST", "/v1/vector_stores", {"name": "lanterns", "file_ids": [file_id]}, key)
    while home.call("GET", f"/v1/vector_stores/{store['id']}", key=key)["file_counts"]["in_progress"]:
        time.sleep(0.2)
    home.call("POST", "/v1/prompts/terse/versions", {"template": "Be brief."}, key)
    small = {"max_tokens": 8, "temperature": 0}
    for name, body in (
        ("answer", {"model": "lanterns", "messages": [{"role": "user", "content": QUESTION}]}),
        ("turn", {"model": MODEL, "messages": [_user("My name is Bob.")], "session_id": "tea", "user": "bob", **small}),
        ("hers", {"model": MODEL, "messages": [_user("I am Adalind.")], "session_id": "hers", "user": "ada", **small}),
    ):
        answered = home.call("POST", "/v1/chat/completions", body, key)
        told[name], told[f"{name}_text"] = answered["id"], answered["choices"][0]["message"]["content"]
    home.call("POST", "/v1/feedback", {"answer_id": told["hers"], "rating": "down", "comment": "Adalind objects"}, key)
    home.call("POST", "/v1/feedback", {"answer_id": told["turn"], "rating": "up", "comment": "Bob agrees"}, key)
    lines = [
        {
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": MODEL, "messages": [_user(f"Greet {name}.")], "user": name, **small},
        }
        for name in ("ada", "bob")
    ]
    requests = home.upload("requests.jsonl", "".join(json.dumps(line) + "\n" for line in lines), "batch", key)
    chosen = {"input_file_id": requests, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    told["batch"] = home.call("POST", "/v1/batches", chosen, key)["id"]
    while (batch := home.call("GET", f"/v1/batches/{told['batch']}", key=key))["status"] != "completed":
        time.sleep(0.2)
    told["output"] = batch["output_file_id"]
    limit = {"scope": "tenant", "window": "month", "limit_usd": 5.0, "hard": True, "name": "all"}
    told["budget"] = home.call("POST", "/v1/budgets", limit)["id"]
    return told


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "home"
        home = Home(Path(sys.argv[1]), place)
        try:
            told = fill(home)
        finally:
            home.close()
        with closing(sqlite3.connect(place / "mainspring.db")) as database:
            told["schema"] = str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        (place / "told.json").write_text(json.dumps(told), encoding="utf-8")
        with tarfile.open(sys.argv[2], "w:gz") as pack:
            for path in sorted(place.rglob("*")):
                if path.is_file():
                    pack.add(path, str(path.relative_to(place)))


if __name__ == "__main__":
    main()
