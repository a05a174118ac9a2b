"""Commands that change something say with ``--json`` what it is now."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from mainspring.cli.main import app
from tests.cli.command import data

Run = Callable[..., Result]


def test_keys_budgets_and_limits(done: Run) -> None:
    made = data(done("keys", "create", "k", "--json").stdout)["id"]
    tiers = json.dumps({"gold": {"requests_per_minute": 9}})
    tier = done("keys", "tier", made, "gold", "--json", MAINSPRING_SERVING__TIERS=tiers)
    assert data(tier.stdout) == {"id": made, "tier": "gold", "also": []}
    assert data(done("keys", "revoke", made, "--json").stdout) == {"revoked": [made]}
    budget = data(done("budgets", "create", "--usd", "5", "--json").stdout)["id"]
    changed = data(done("budgets", "change", budget, "--usd", "7.5", "--json").stdout)
    assert (changed["id"], changed["limit_usd"], changed["spent_usd"]) == (budget, 7.5, 0)
    limits = data(done("limits", "set", "keys=20", "files=", "--json").stdout)
    assert [(row["name"], row["limit"], row["used"]) for row in limits["data"]] == [
        ("keys", 20, 0),
        ("files", 100_000, 0),
    ]


def test_prompts(done: Run) -> None:
    for text in ("Be brief.", "Be very brief."):
        Path("p.txt").write_text(text)
        done("prompts", "add", "p", "p.txt")
    for version in ("1", "2"):
        moved = data(done("prompts", "label", "p", "production", version, "--json").stdout)
    assert moved == {"name": "p", "label": "production", "version": 2, "revision": 2}
    back = data(done("prompts", "rollback", "p", "production", "--json").stdout)
    assert (back["version"], back["revision"]) == (1, 3)
    assert data(done("prompts", "delete", "p", "2", "--json").stdout) == {"name": "p", "deleted": 1}


def test_a_model_that_is_whole(done: Run) -> None:
    told = data(done("models", "verify", "all-minilm-l6-v2", "--json").stdout)
    assert told["name"] == "all-minilm-l6-v2"
    assert told["fingerprint"]


def test_what_was_ingested_and_what_was_not(done: Run, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "good.md").write_text("# Otters\n\nSea otters sleep on their backs.\n")
    first = data(done("ingest", "animals", "notes", "--json").stdout)
    assert (first["collection"], first["read"], first["unchanged"], first["failed"]) == ("animals", 1, 0, [])
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is no document")
    runner = CliRunner(
        env={"MAINSPRING_HOME": str(tmp_path / "home"), "MAINSPRING_MODELS__DIRECTORY": str(tmp_path / "models")}
    )
    partly = runner.invoke(app, ["sync", "animals", "--json"])
    told = json.loads(partly.stdout)
    assert (partly.exit_code, told["ok"], told["command"]) == (3, False, "sync")
    assert (told["data"]["unchanged"], told["data"]["not_read"]) == (1, 1)
    assert [each["name"] for each in told["data"]["failed"]] == ["broken.pdf"]
    assert (told["errors"][0]["code"], "broken.pdf" in told["errors"][0]["message"]) == ("not_read", True)
    never = runner.invoke(app, ["sync", "animals", "--json", "--watch"])
    assert never.exit_code == 2
