"""``mainspring keys``: the life of a key."""

from __future__ import annotations

import json
import time

from tests.cli.command import Command


def test_the_life_of_a_key(command: Command) -> None:
    assert "No keys yet" in command.said("keys", "list")
    made = json.loads(
        command.said("keys", "create", "ci", "--scope", "chat", "--scope", "ingest", "--group", "red", "--json")
    )
    assert made["secret"].startswith("ms-")
    (listed,) = json.loads(command.said("keys", "list", "--json"))
    assert listed["id"] == made["id"]
    assert (listed["name"], listed["scopes"], listed["groups"]) == ("ci", "chat,ingest", "red")
    assert (listed["expires"], listed["revoked"], listed["last used"]) == ("-", "-", "-")
    assert json.loads(command.said("keys", "list", "--tenant", "other", "--json")) == []

    elsewhere = command.failure("keys", "revoke", made["id"], "--tenant", "other")
    assert f"there is no key {made['id']}" in elsewhere
    assert made["id"] in command.said("keys", "revoke", made["id"])
    table = command.said("keys", "list")
    assert time.strftime("%Y", time.gmtime()) in table
    assert made["secret"] not in table

    stored = b"".join(path.read_bytes() for path in (command.place / "home").rglob("*") if path.is_file())
    assert made["id"].encode() in stored
    assert made["secret"].removeprefix("ms-").encode() not in stored


def test_a_key_for_people_ends_when_it_was_said(command: Command) -> None:
    key_id, secret, advice = command.said("keys", "create", "guest", "--days", "2").splitlines()
    assert secret.startswith("ms-")
    assert "cannot be shown again" in advice
    (listed,) = json.loads(command.said("keys", "list", "--json"))
    assert listed["id"] == key_id
    assert (listed["scopes"], listed["groups"]) == ("chat,embed", "")
    days = {time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86_400 + late)) for late in (0, -600)}
    assert listed["expires"] in days


def test_what_is_no_scope_is_refused(command: Command) -> None:
    line = command.failure("keys", "create", "x", "--scope", "everything")
    assert "unknown scope everything" in line
    assert "chat, embed, ingest, admin" in line
    assert command("keys", "create", "x", "--days", "-1").returncode == 2
