"""``mainspring keys``: the life of a key."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mainspring.cli.main import app
from mainspring.core.errors import InvalidRequest
from tests.cli.command import Command, data


def test_the_life_of_a_key(command: Command) -> None:
    wanted = ("--scope", "chat", "--scope", "ingest", "--group", "red")
    made = data(command.said("keys", "create", "ci", *wanted, "--json"))
    assert made["secret"].startswith("ms-")
    guest_id, guest_secret, advice = command.said("keys", "create", "guest", "--days", "2").splitlines()
    assert guest_secret.startswith("ms-")
    assert "cannot be shown again" in advice

    listed = {row["id"]: row for row in data(command.said("keys", "list", "--json"))}
    assert set(listed) == {made["id"], guest_id}
    ci, guest = listed[made["id"]], listed[guest_id]
    assert (ci["name"], ci["scopes"], ci["groups"]) == ("ci", ["chat", "ingest"], ["red"])
    assert (ci["expires_at"], ci["revoked_at"], ci["last_used_at"]) == (None, None, None)
    assert (guest["scopes"], guest["groups"]) == (["chat", "embed"], [])
    assert guest["expires_at"] == pytest.approx(time.time() + 2 * 86_400, abs=600)

    elsewhere = command.failure("keys", "revoke", made["id"], "--tenant", "other")
    assert f"there is no key {made['id']}" in elsewhere
    assert made["id"] in command.said("keys", "revoke", made["id"])
    table = command.said("keys", "list")
    assert [line.split()[5] != "-" for line in table.splitlines()[1:] if made["id"] in line] == [True]
    assert made["secret"] not in table

    stored = b"".join(path.read_bytes() for path in (command.place / "home").rglob("*") if path.is_file())
    assert made["id"].encode() in stored
    assert made["secret"].removeprefix("ms-").encode() not in stored


def test_what_is_no_scope_is_refused() -> None:
    refused = CliRunner().invoke(app, ["keys", "create", "x", "--scope", "everything"])
    assert isinstance(refused.exception, InvalidRequest)
    assert "unknown scope everything" in str(refused.exception)
    assert "There are: chat, embed, ingest" in str(refused.exception)
    assert CliRunner().invoke(app, ["keys", "create", "x", "--days", "-1"]).exit_code == 2


def test_a_key_gets_only_a_tier_that_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "mainspring.yaml"
    config.write_text(f"home: {tmp_path / 'home'}\nserving:\n  tiers:\n    free: {{requests_per_day: 5}}\n")
    monkeypatch.delenv("MAINSPRING_HOME", raising=False)

    def keys(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["--config", str(config), "keys", *arguments])

    assert "serving.tiers names: free" in str(keys("create", "k", "--tier", "gold").exception)
    made = data(keys("create", "k", "--tier", "free", "--json").stdout)
    assert "serving.tiers names: free" in str(keys("tier", made["id"], "gold").exception)
    assert [row["tier"] for row in data(keys("list", "--json").stdout)] == ["free"]
    assert "no tier" in keys("tier", made["id"], "").stdout
    assert [row["tier"] for row in data(keys("list", "--json").stdout)] == [None]


def test_a_key_is_rotated(command: Command) -> None:
    made = data(command.said("keys", "create", "ci", "--scope", "ingest", "--group", "red", "--json"))
    new_id, secret, advice = command.said("keys", "rotate", made["id"], "--overlap", "3600").splitlines()
    assert secret.startswith("ms-")
    assert secret != made["secret"]
    assert "cannot be shown again" in advice
    listed = {row["id"]: row for row in data(command.said("keys", "list", "--json"))}
    assert (listed[new_id]["name"], listed[new_id]["scopes"], listed[new_id]["groups"]) == ("ci", ["ingest"], ["red"])
    assert listed[made["id"]]["expires_at"] is not None
    command.said("keys", "revoke", new_id)
    assert f"there is no key {new_id}" in command.failure("keys", "rotate", new_id)
    assert made["id"] in command.failure("keys", "rotate", made["id"], "--tenant", "other")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("x", "--days", "nan"), "is not a time"),
        (("x", "--days", "inf"), "is not a time"),
        (("x", "--tenant", ""), "is not a tenant"),
        (("x", "--tenant", "a\nb"), "is not a tenant"),
        (("a\x1b[31mb",), "is not a name"),
        (("",), "is not a name"),
    ],
)
def test_what_would_be_no_usable_key_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    """The log of the server itself has the empty tenant."""
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    refused = CliRunner().invoke(app, ["keys", "create", *arguments])
    assert isinstance(refused.exception, InvalidRequest)
    assert told in str(refused.exception)
    assert "No keys yet" in CliRunner().invoke(app, ["keys", "list"]).output
