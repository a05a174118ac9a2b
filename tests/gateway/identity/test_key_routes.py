"""Keys over HTTP: who asks, making, replacing and revoking them, and that no key makes one that may do more."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.cli.command import data
from tests.conftest import Server
from tests.http.test_access import code, run


@pytest.fixture(scope="module")
def grouped(server: Server) -> str:
    """An admin's secret in the group ``keys-room``."""
    made = run(server, "keys", "create", "grouped admin", "--scope", "admin", "--group", "keys-room", "--json")
    return str(json.loads(made)["data"]["secret"])


@pytest.fixture(scope="module")
def stranger(server: Server) -> str:
    """An admin's secret of another tenant."""
    tenant = f"t-{uuid.uuid4().hex[:8]}"
    return str(data(run(server, "keys", "create", "x", "--tenant", tenant, "--scope", "admin", "--json"))["secret"])


def test_every_key_is_told_who_it_is(server: Server, grouped: str) -> None:
    me = server.call("GET", "/v1/me", key=grouped)[1]
    assert (me["tenant"], me["key_name"], me["groups"]) == ("default", "grouped admin", ["keys-room"])
    assert me["scopes"] == [
        "admin",
        "advise",
        "agents",
        "approve",
        "arena",
        "chat",
        "compose",
        "curate",
        "datasets",
        "deliver",
        "desk",
        "embed",
        "experiments",
        "import",
        "improve",
        "ingest",
        "insights",
        "judges",
        "lake",
        "prompts",
        "replay",
        "review",
        "runs",
        "train",
        "translate",
        "trials",
    ]
    secret = server.call("POST", "/v1/keys", {"name": "embeds", "scopes": ["embed"]})[1]["secret"]
    me = server.call("GET", "/v1/me", key=secret)[1]
    assert (me["key_name"], me["scopes"], me["groups"], me["tier"]) == ("embeds", ["embed"], [], "")


def test_a_key_is_made_used_replaced_and_revoked(server: Server) -> None:
    status, headers, content = server.raw("POST", "/v1/keys", {"name": "for a program", "scopes": ["chat"], "days": 2})
    made = json.loads(content)
    assert (status, made["status"], made["scopes"]) == (201, "active", ["chat"])
    assert headers["cache-control"] == "no-store"
    assert made["expires_at"] - made["created_at"] == pytest.approx(2 * 86_400, abs=5)
    assert server.call("GET", "/v1/models", key=made["secret"])[0] == 200
    listed = server.call("GET", "/v1/keys")[1]["data"]
    (row,) = (key for key in listed if key["id"] == made["id"])
    assert row["name"] == "for a program"
    assert made["secret"] not in json.dumps(listed)
    assert made["secret"].startswith(row["hint"])

    status, new = server.call("POST", f"/v1/keys/{made['id']}/rotate", {})
    assert status == 201
    assert new["secret"] != made["secret"]
    assert server.call("GET", "/v1/models", key=new["secret"])[0] == 200
    assert server.call("GET", "/v1/models", key=made["secret"])[0] == 401

    assert server.call("DELETE", f"/v1/keys/{new['id']}")[1]["revoked"] is True
    assert server.call("GET", "/v1/models", key=new["secret"])[0] == 401
    ended = {key["id"]: key["status"] for key in server.call("GET", "/v1/keys")[1]["data"]}
    assert (ended[made["id"]], ended[new["id"]]) == ("expired", "revoked")


def test_no_key_makes_one_that_sees_more_than_itself(server: Server, grouped: str) -> None:
    body = {"name": "too much", "scopes": ["chat"], "groups": ["keys-room"]}
    assert code(server.call("POST", "/v1/keys", body)) == (403, "insufficient_scope")
    status, made = server.call("POST", "/v1/keys", body, grouped)
    assert (status, made["groups"]) == (201, ["keys-room"])
    # Nor by taking another's place.
    assert code(server.call("POST", f"/v1/keys/{made['id']}/rotate", {})) == (403, "insufficient_scope")
    assert server.call("GET", "/v1/me", key=made["secret"])[0] == 200
    assert server.call("POST", f"/v1/keys/{made['id']}/rotate", {}, grouped)[0] == 201


def test_only_who_sees_the_sums_of_all_tenants_makes_such_keys(server: Server, grouped: str, stranger: str) -> None:
    body = {"name": "operator", "scopes": ["admin", "operate"]}
    for key in (grouped, stranger):
        assert code(server.call("POST", "/v1/keys", body, key)) == (403, "insufficient_scope")
    status, made = server.call("POST", "/v1/keys", body)
    assert (status, made["scopes"]) == (201, ["admin", "operate"])
    assert "operate" in server.call("GET", "/v1/me", key=made["secret"])[1]["scopes"]
    # Nor does another take its place, or end it.
    assert code(server.call("POST", f"/v1/keys/{made['id']}/rotate", {}, grouped)) == (403, "insufficient_scope")
    assert code(server.call("POST", f"/v1/keys/{made['id']}/rotate", {}, stranger)) == (404, "not_found")
    assert server.call("GET", "/v1/costs?by=tenant", key=made["secret"])[0] == 200
    new = server.call("POST", f"/v1/keys/{made['id']}/rotate", {})[1]
    assert code(server.call("DELETE", f"/v1/keys/{new['id']}", key=grouped)) == (403, "insufficient_scope")
    assert server.call("DELETE", f"/v1/keys/{new['id']}")[0] == 200


def test_keys_of_other_tenants_do_not_exist(server: Server, stranger: str) -> None:
    made = server.call("POST", "/v1/keys", {"name": "ours"})[1]
    assert made["id"] not in json.dumps(server.call("GET", "/v1/keys", key=stranger)[1])
    assert code(server.call("DELETE", f"/v1/keys/{made['id']}", key=stranger)) == (404, "not_found")
    assert code(server.call("POST", f"/v1/keys/{made['id']}/rotate", {}, stranger)) == (404, "not_found")
    theirs = server.call("POST", "/v1/keys", {"name": "theirs"}, stranger)[1]
    assert server.call("GET", "/v1/me", key=theirs["secret"])[1]["tenant"] != "default"
    assert server.call("GET", "/v1/me", key=made["secret"])[0] == 200


def test_a_key_cannot_revoke_itself(server: Server) -> None:
    me = server.call("GET", "/v1/me")[1]
    assert code(server.call("DELETE", f"/v1/keys/{me['key_id']}")) == (409, "conflict")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes"),
        ({"name": "x", "days": 0}, "days"),
        ({"name": "x", "tier": "gold"}, "tier"),
        ({"name": "x", "tenant": "other"}, "tenant"),
    ],
)
def test_nonsense_is_refused_by_name(server: Server, body: dict[str, object], param: str) -> None:
    status, answer = server.call("POST", "/v1/keys", body)
    assert status == 400
    assert str(answer["error"]["param"]).startswith(param)


def test_limits_are_those_of_the_settings(server: Server) -> None:
    found = server.call("GET", "/v1/limits")[1]
    assert found["default"]["requests_per_minute"] == 100_000
    assert found["default"]["tokens_per_minute"] == 100_000_000
    assert found["tiers"] == {}
