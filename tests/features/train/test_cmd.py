"""``mainspring train`` without a server: it orders, works and tells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.core.errors import InvalidRequest
from mainspring.terminal.remote import Server
from tests.cli.command import data, run_within
from tests.features.train.world import points, write

pytestmark = pytest.mark.slow


def train(home: Path, *words: str) -> tuple[int, str, str]:
    environment = {"MAINSPRING_HOME": str(home), "PYTHONPATH": os.environ["PYTHONPATH"]}
    done = run_within(("train", *words), environment)
    return done.returncode, done.stdout, done.stderr


def test_a_command_trains_in_its_home(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", points())
    status, out, err = train(
        tmp_path, "line", "--data", str(folder), "--option", "steps=20", "--name", "mine", "--json"
    )
    assert status == 0, err
    made = data(out)
    assert (made["status"], made["version"], made["step"], made["options"]) == (
        "succeeded",
        "mine@1",
        20,
        {"steps": 20},
    )
    status, out, err = train(tmp_path, "run", "line", "--data", str(folder / "train.jsonl"), "--name", "mine")
    assert status == 0, err
    assert "It made mine@2." in out
    # Without a server nothing else shows how good it is.
    assert out.split("BEFORE")[1].split("AFTER")[1].split()[0] == "error"
    card = Path(out.split("Its card: ")[1].strip())
    assert card.read_text().startswith("# mine@2\n")
    assert "step" in err


def test_what_is_wrong_is_reported(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", points())
    for words, told in (
        (("lin", "--data", str(folder)), "Did you mean line"),
        (("line",), "--data or --export"),
        (("line", "--data", str(tmp_path / "none")), "is not a folder"),
        (("line", "--data", str(folder), "--option", "steps"), "Write NAME=VALUE"),
        (("line", "--data", str(folder), "--option", "steps=0"), "steps"),
        (("line", "--data", str(folder), "--serve"), "no model is served here"),
    ):
        status, _, err = train(tmp_path, *words)
        assert status != 0
        assert told in err, (words, err)
    status, out, _ = train(tmp_path, "line", "--data", str(folder), "--option", "fails=bug")
    assert status == 1
    assert "a bug of the recipe" in out


def test_a_job_or_one_version_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def call(_: Server, method: str, path: str, body: object = None) -> object:
        asked.append((method, path))
        return {"id": path.rpartition("/")[2], "deleted": True}

    monkeypatch.setattr(Server, "call", call)
    for which in ("ftjob-1", "support@2"):
        CliRunner().invoke(app, ["train", "delete", which], env={"MAINSPRING_API_KEY": "ms-x"})
    # The newest of a name may be another one by now.
    done = CliRunner().invoke(app, ["train", "delete", "support"], env={"MAINSPRING_API_KEY": "ms-x"})
    assert isinstance(done.exception, InvalidRequest)
    assert asked == [("DELETE", "/v1/training/jobs/ftjob-1"), ("DELETE", "/v1/training/versions/support%402")]


def test_recipes_are_listed_with_their_options(tmp_path: Path) -> None:
    status, out, _ = train(tmp_path, "recipes")
    assert status == 0
    assert "Fits a line." in out
    status, out, _ = train(tmp_path, "recipes", "line")
    assert "rate" in out
    assert "0.1" in out


def test_bases_are_listed(tmp_path: Path) -> None:
    status, out, err = train(tmp_path, "bases", "dpo")
    assert (status, "smollm2-135m-instruct" in out) == (0, True), err
    status, out, _ = train(tmp_path, "bases", "distil", "--option", "teacher", "--json")
    assert (status, data(out)["kinds"]) == (0, ["chat"])
    status, _, err = train(tmp_path, "bases", "dop")
    assert status != 0
    assert "Did you mean dpo" in err
