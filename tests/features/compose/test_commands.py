"""``mainspring compose``: a text without a command's name, figures of a file, and the export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app as main
from mainspring.features.compose.cmd import app
from mainspring.terminal.remote import Server
from tests.cli.command import data, run_within

MAILS = [
    {"text": "I am still waiting for my card. Please tell me where it is.", "subject": "Card arrival", "to": "support"},
    {"text": "Could you please tell me how to change my PIN?", "subject": "", "to": ""},
]


def test_a_text_may_stand_where_a_command_does() -> None:
    import typer

    group = typer.main.get_command(app)
    for given, expected in (
        (["Could you please"], ["suggest", "Could you please"]),
        (["--explain", "Could you please"], ["suggest", "--explain", "Could you please"]),
        (["figures"], ["figures"]),
        (["export", "there"], ["export", "there"]),
    ):
        context = group.make_context("compose", list(given), resilient_parsing=True)
        assert [*context._protected_args, *context.args] == expected


def test_a_person_agrees_and_has_sent_mails_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, Any]] = []

    def call(_: Server, method: str, path: str, body: object = None) -> object:
        asked.append((method, path, body))
        return {"consent": True, "texts": 1}

    monkeypatch.setattr(Server, "call", call)
    mail = tmp_path / "mail.txt"
    mail.write_text("Kind regards", encoding="utf-8")
    words = ["compose", "personal", "--consent", "--learn", str(mail), "--user", "a b"]
    done = CliRunner().invoke(main, words, env={"MAINSPRING_API_KEY": "ms-x"})
    assert "mails that were learned: 1" in done.output
    path = "/v1/compose/personal"
    assert asked == [
        ("PUT", path, {"consent": True, "user": "a b"}),
        ("POST", path, {"text": "Kind regards", "user": "a b"}),
        ("GET", f"{path}?user=a+b", None),
    ]


def test_a_model_is_listed_and_chosen_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, Any]] = []
    row = {"id": "mails@2", "created_at": 0.0, "figures": {"perplexity_per_word": 41.234}, "stale": None}
    answers: dict[str, Any] = {
        "/v1/compose/models": {"serving": None, "trying": "mails@1", "stage": "canary", "data": [row]},
        "/v1/variants": {"id": "cand_1"},
        "/v1/variants/candidates/cand_1": {},
        "/v1/compose/sent/held-out": {"dataset": "out", "version": 2, "examples": 7},
        "/v1/compose": {"suggestions": [], "waits": None, "silent": "guard"},
    }

    def call(_: Server, method: str, path: str, body: object = None) -> object:
        asked.append((method, path, body))
        return answers[path]

    monkeypatch.setattr(Server, "call", call)

    def said(*words: str) -> str:
        return CliRunner().invoke(main, ["compose", *words], env={"MAINSPRING_API_KEY": "ms-x"}).output

    told = said("models")
    for part in ("from the model of the server", "mails@1 is tried beside it (canary)", "mails@2", "41.23"):
        assert part in told
    assert "mainspring variants undo compose" in said("use", "mails@2")
    assert asked[1:] == [
        ("POST", "/v1/variants", {"kind": "model", "application": "compose", "value": {"model": "mails@2"}}),
        ("POST", "/v1/variants/candidates/cand_1", {"action": "promote"}),
    ]
    assert "out@2 has 7 places" in said("held-out", "out")
    assert "a guard refuses the text" in said("I would like")


@pytest.mark.slow
def test_eval_measures_a_file_and_names_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "mails.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in MAILS), encoding="utf-8")
    done = run_within(("compose", "eval", file, "--json"), {"MAINSPRING_HOME": str(tmp_path)}, tmp_path)
    figures = data(done.stdout)["figures"]
    assert figures["perplexity_per_word"]["value"] > 1
    assert figures["exact_match_3"]["n"] > 0
    file.write_text('{"text": "ok"}\n{"no": 1}\n', encoding="utf-8")
    failed = run_within(("compose", "eval", file), {"MAINSPRING_HOME": str(tmp_path)}, tmp_path)
    assert failed.returncode != 0
    assert "line 2" in failed.stdout + failed.stderr


@pytest.mark.slow
def test_export_writes_what_it_names(tmp_path: Path) -> None:
    command = ("compose", "export", tmp_path / "edge", "--json")
    written = data(run_within(command, {"MAINSPRING_HOME": str(tmp_path)}, tmp_path).stdout)["files"]
    assert sorted(written) == sorted(each.name for each in (tmp_path / "edge").iterdir())
