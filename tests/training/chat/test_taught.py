"""RAFT and distillation on a tiny model."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import Forbidden, InvalidRequest, UpstreamError
from tests.training.chat.conftest import Start, talks

pytestmark = pytest.mark.torch
OPTIONS: dict[str, Any] = {
    "batch": 4,
    "accumulation": 1,
    "steps": 20,
    "learning_rate": 0.02,
    "length": 128,
    "precision": "fp32",
    "samples": 1,
    "answer_tokens": 10,
    "tested": 6,
}


def grounded(number: int) -> dict[str, Any]:
    if number % 3 == 2:
        return {"question": "who is it", "documents": ["a cat sleeps"], "answer": "The documents do not say."}
    return {"question": "where is it", "documents": ["the mill is at the river"], "answer": "at the river [1]"}


def test_raft_answers_cites_and_measures(start: Start) -> None:
    sides = [[grounded(each) for each in range(first, first + count)] for first, count in ((0, 30), (0, 3), (0, 6))]
    options = {**OPTIONS, "refusals": 0.5, "scorers": [{"name": "f1"}]}
    made = start("raft", options, *sides).do()
    assert made.figures["contained"] == 1.0
    assert made.figures["cites-right"] == 1.0
    assert made.figures["refused-wrongly"] == 0.0
    assert made.before["contained"] == 0.0
    assert made.counted["contained"] == 4
    with pytest.raises(InvalidRequest, match="train:1: a row of RAFT"):
        start("raft", options, talks(9), name="talks").do()


class Teacher(BaseHTTPRequestHandler):
    asked: list[dict[str, Any]] = []  # noqa: RUF012 - of all of its objects

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer a-key"
        self.asked.append(body)
        if len(self.asked) == 6:
            self.send_error(500)
            return
        told = {"choices": [{"message": {"role": "assistant", "content": "the mill is at the river"}}]}
        said = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a remote model of the settings."""
    server = HTTPServer(("127.0.0.1", 0), Teacher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    remote = {"url": f"http://127.0.0.1:{server.server_port}/v1", "model": "large", "api_key": "a-key"}
    (tmp_path / "mainspring.yaml").write_text(json.dumps({"models": {"remote": {"served": remote}}}))
    monkeypatch.setenv("MAINSPRING_CONFIG", str(tmp_path / "mainspring.yaml"))
    yield "served"
    server.shutdown()


def test_the_texts_of_a_served_teacher_are_learned_and_asked_for_once(start: Start, teacher: str) -> None:
    prompts = [{"prompt": f"what is {each} of it"} for each in range(12)]
    options = {**OPTIONS, "teacher": teacher}
    run = start("distil", options, prompts, (), talks(4, 40), outside=True)
    Teacher.asked.clear()
    with pytest.raises(UpstreamError, match="status 500"):
        run.do()
    made = start("distil", options, outside=True).do()
    # The one that failed is asked again, and no other.
    assert len(Teacher.asked) == 13
    assert {each["model"] for each in Teacher.asked} == {"large"}
    assert made.figures["loss"] < made.before["loss"] / 2


def test_prompts_alone_are_enough_on_all_sides(start: Start, base: Path) -> None:
    prompts = [{"prompt": f"what is {each} of it"} for each in range(20)]
    options = {**OPTIONS, "steps": 4, "teacher": base.name, "teacher_tokens": 6, "min_rows": 4}
    sides = (prompts[:12], prompts[12:15], [*prompts[15:18], *talks(2, 40)])
    run = start("distil", options, *sides, given={"teacher": str(base)})
    made = run.do()
    # The teacher answers what has no answer; a row's own answer stays.
    assert 2 < made.counted["loss"] <= 5
    assert any("validation_loss" in each["figures"] for each in run.folder.metrics())


def test_the_probabilities_of_a_pulled_teacher_are_learned(start: Start, base: Path) -> None:
    options = {**OPTIONS, "level": "logits", "mix": 1.0, "learning_rate": 0.001, "steps": 6}
    # Its own base as teacher: there is nothing to learn.
    run = start("distil", {**options, "teacher": base.name}, talks(12), (), talks(4, 40), given={"teacher": str(base)})
    made = run.do()
    assert max(each["figures"].get("divergence", 0) for each in run.folder.metrics()) < 0.05
    assert made.figures["loss"] == pytest.approx(made.before["loss"], abs=0.05)


def test_a_teacher_must_be_there(start: Start) -> None:
    with pytest.raises(InvalidRequest, match="name one teacher"):
        start("distil", OPTIONS, talks(9)).do()
    with pytest.raises(InvalidRequest, match="does not return the probabilities"):
        start(
            "distil", {**OPTIONS, "level": "logits", "teacher_url": "http://x"}, talks(9), name="b", outside=True
        ).do()
    with pytest.raises(InvalidRequest, match="there is no model absent here"):
        start("distil", {**OPTIONS, "teacher": "absent"}, talks(9), name="c").do()
    # What the service did not allow asks nobody.
    with pytest.raises(InvalidRequest, match="for this run"):
        start("distil", {**OPTIONS, "teacher_url": "https://example.org/v1"}, talks(9), name="e").do()
    # Only the settings may name a private address.
    with pytest.raises(Forbidden, match="not public"):
        start("distil", {**OPTIONS, "teacher_url": "http://127.0.0.1:9/v1"}, talks(9), name="d", outside=True).do()
