"""``mainspring doctor``: the settings in force, their origin, and missing parts."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from typing import Any

from mainspring import __version__
from mainspring.cli.serve.doctor import BROKEN
from tests.cli.command import Command


def doctor(command: Command, *arguments: str, **settings: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(settings by key, checks by name)."""
    done = command("doctor", "--json", *arguments, **settings)
    found = json.loads(done.stdout)["data"]
    assert done.returncode == any(row["state"] in BROKEN for row in found["checks"]), done.stderr
    assert found["version"] == __version__
    return {row["key"]: row for row in found["settings"]}, {row["check"]: row for row in found["checks"]}


def test_settings_have_their_origins_and_hide_their_secrets(command: Command) -> None:
    (command.place / "mainspring.yaml").write_text(
        "gateway: {port: 9001, host: 0.0.0.0}\n"
        "stores: {database: 'postgresql+asyncpg://ms:opensesame@db/ms'}\n"
        "models: {remote: {big: {url: 'http://h/v1', model: big, api_key: sk-opensesame}}}\n"
    )
    settings, _ = doctor(command, MAINSPRING_GATEWAY__PORT="9002")
    assert settings["gateway.port"] == {
        "key": "gateway.port",
        "value": 9002,
        "origin": "environment MAINSPRING_GATEWAY__PORT",
    }
    assert settings["gateway.host"]["origin"] == "mainspring.yaml"
    assert settings["rag.top_k"]["origin"] == "default"
    assert settings["stores.database"]["value"] == "postgresql+asyncpg://ms:********@db/ms"
    assert "opensesame" not in json.dumps(settings)


def test_only_what_was_changed_and_missing_models_with_what_to_do(command: Command) -> None:
    empty = str(command.place / "empty")
    settings, absent = doctor(command, "--changed", MAINSPRING_RAG__TOP_K="7", MAINSPRING_MODELS__DIRECTORY=empty)
    # The tests themselves say that no larger model is pulled, and that answers are short.
    assert set(settings) - {"models.larger", "serving.default_output_tokens"} == {
        "home",
        "models.directory",
        "rag.top_k",
    }
    assert {"python", "disk", "processor", "extra documents"} <= set(absent)
    assert absent["model all-minilm-l6-v2"]["state"] == "missing"
    assert "mainspring models pull" in absent["model all-minilm-l6-v2"]["detail"]
    assert not (command.place / "home").exists(), "doctor only looks"


def test_a_model_that_rules_do_without_is_no_fault(command: Command) -> None:
    names = {
        "MAINSPRING_MODELS__NEAR_MISSES": "ms-marco-minilm-l12-v2-int8",
        "MAINSPRING_MODELS__ANSWERS": "ms-marco-minilm-l6-v2",
        "MAINSPRING_MODELS__DIRECTORY": str(command.place / "empty"),
    }
    _, checks = doctor(command, **names)
    assert "it chooses the sentences" in checks["model ms-marco-minilm-l6-v2"]["detail"]
    check = checks["model ms-marco-minilm-l12-v2-int8"]
    assert check["state"] == "absent"
    assert check["state"] not in BROKEN
    assert "optional: it refuses questions that" in check["detail"]
    assert "`mainspring models pull ms-marco-minilm-l12-v2-int8`" in check["detail"]


def test_for_people_it_is_two_tables(command: Command) -> None:
    shown = command.said("doctor", "--changed")
    assert shown.startswith(f"mainspring {__version__}\n")
    assert "setting" in shown
    assert [line.split()[2] for line in shown.splitlines() if line.startswith("model all-minilm-l6-v2")] == ["ok"]
    assert "environment MAINSPRING_HOME" in shown


def test_settings_that_let_nobody_in_or_nothing_out_are_reported(command: Command) -> None:
    (command.place / "mainspring.yaml").write_text(
        "gateway:\n"
        "  host: 0.0.0.0\n"
        "  oidc: {issuer: 'https://id.example.com', audience: [us], jwks_file: nothing.json}\n"
        "models:\n"
        "  region: eu\n"
        "  remote: {big: {url: 'http://h/v1', model: big, region: us}}\n"
    )
    _, checks = doctor(command, MAINSPRING_SERVING__RESIDENCY="{bank: [ch]}")
    assert (checks["tls"]["state"], checks["oidc"]["state"]) == ("off", "wrong")
    assert "nothing.json" in checks["oidc"]["detail"]
    assert checks["residency"]["state"] == "wrong"
    assert "bank asks for ch, where no chat model is" in checks["residency"]["detail"]
    for regions, state in (("[us]", "weak"), ("[eu]", "ok")):
        _, checks = doctor(command, MAINSPRING_SERVING__RESIDENCY=f"{{bank: {regions}}}")
        assert checks["residency"]["state"] == state


def test_what_a_server_would_not_start_with_is_reported(command: Command) -> None:
    (command.place / "mainspring.yaml").write_text(
        "models: {remote: {far: {url: 'http://127.0.0.1:9/v1', model: x, price_input: 1.0}}}\n"
        "stores: {database: 'postgresql://ms:opensesame@127.0.0.1:9/ms'}\n"
        "prices: {models: {fra: {input: 1.0, output: 1.0}}}\n"
        "serving: {auto: {small: nope, large: far}}\n"
    )
    settings, checks = doctor(command)
    assert checks["names"]["state"] == "wrong"
    assert "serving.auto names nope" in checks["names"]["detail"]
    assert checks["database"]["state"] == "wrong"
    assert checks["prices"]["state"] == "unused"
    assert "prices.models.fra" in checks["prices"]["detail"]
    assert "did you mean far?" in checks["prices"]["detail"]
    assert "opensesame" not in json.dumps([settings, checks])


def test_a_router_that_nobody_graded_is_told_to_be_off(command: Command) -> None:
    models = "models: {chat: [smollm2-135m-instruct], remote: {far: {url: 'http://127.0.0.1:9/v1', model: x}}}\n"
    (command.place / "mainspring.yaml").write_text(models)
    _, checks = doctor(command)
    assert checks["auto"]["state"] == "off"
    assert "far answers: no router is graded for smollm2-135m-instruct and far" in checks["auto"]["detail"]
    (command.place / "mainspring.yaml").write_text(models + "serving: {auto: {policy: cascade}}\n")
    _, checks = doctor(command)
    assert checks["auto"]["state"] == "ok"
    (command.place / "mainspring.yaml").write_text(
        models + "serving: {auto: {policy: hybrid, small: far, large: smollm2-135m-instruct}}\n"
    )
    _, checks = doctor(command)
    assert "fitted for smollm2-135m-instruct, not for far" in checks["auto"]["detail"]


def test_names_that_are_given_twice_are_reported(command: Command) -> None:
    (command.place / "mainspring.yaml").write_text(
        "models: {remote: {far: {url: 'http://127.0.0.1:9/v1', model: x}}}\n"
        "prices: {book: nothing.jsonl}\n"
        "serving: {routes: {document-qa: {arms: {a: {model: far}}}, far: {arms: {a: {model: far}}}}}\n"
    )
    _, checks = doctor(command)
    assert checks["names"]["detail"] == "two things are served as document-qa"
    assert checks["prices"]["state"] == "wrong"
    assert "nothing.jsonl" in checks["prices"]["detail"]


def test_a_home_that_is_whole_is_said_to_be(command: Command) -> None:
    command.said("keys", "create", "first")
    _, checks = doctor(command)
    assert checks["database"]["state"] == "ok"
    assert command("doctor").returncode == 0


def test_a_damaged_database_is_named(command: Command) -> None:
    command.said("keys", "create", "first")
    path = command.place / "home" / "mainspring.db"
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    for log in path.parent.glob("mainspring.db-*"):
        log.unlink()
    _, checks = doctor(command)
    assert checks["database"]["state"] == "damaged"
    assert "backup" in checks["database"]["detail"]


def test_a_full_disk_is_named(command: Command) -> None:
    _, checks = doctor(command, MAINSPRING_STORES__DISK_RESERVE_MB=str(10**9))
    assert checks["disk"]["state"] == "full"
    assert "stores.disk_reserve_mb" in checks["disk"]["detail"]
    assert command("doctor", MAINSPRING_STORES__DISK_RESERVE_MB=str(10**9)).returncode == 1


def test_a_database_that_somebody_holds_is_named(command: Command) -> None:
    command.said("keys", "create", "first")
    with closing(sqlite3.connect(command.place / "home" / "mainspring.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        _, checks = doctor(command)
    assert checks["database"]["state"] == "held"


def test_a_damaged_collection_and_a_clock_that_was_set_back_are_named(command: Command) -> None:
    (command.place / "note.md").write_text("The kettle holds one litre.")
    command.said("ingest", "notes", "note.md")
    _, checks = doctor(command)
    assert checks["vectors"]["state"] == "ok"
    (table,) = (command.place / "home" / "vectors").glob("*.lance")
    for data in (table / "data").iterdir():
        data.unlink()
    with closing(sqlite3.connect(command.place / "home" / "mainspring.db")) as base, base:
        later = (time.time_ns() // 1000) + 3600 * 10**6
        row = "'acme', 'e1', 0, 't', NULL, 'call', '', 1, 0, '', '{}', NULL, 0, '', " + str(later)
        names = "tenant, id, at, trace_id, parent_id, kind, subject, version, consent, retention, facts, content_id"
        base.execute(f"INSERT INTO events ({names}, published, person, settled) VALUES ({row})")
    _, checks = doctor(command)
    assert checks["vectors"]["state"] == "damaged"
    assert checks["clock"]["state"] == "wrong"
    assert "future" in checks["clock"]["detail"]


def test_it_says_which_guards_are_on(command: Command) -> None:
    _, checks = doctor(command)
    default = checks["guards"]
    assert default["state"] == "ok"
    assert {"injection: refuse", "harm: refuse"} <= set(default["detail"].split(", "))
    _, checks = doctor(command, MAINSPRING_GUARDS__INJECTION="off", MAINSPRING_GUARDS__PII_OUTPUT="redact")
    assert checks["guards"]["state"] == "weak"
    assert {"injection: off", "harm: refuse", "personal data out: redact"} <= set(
        checks["guards"]["detail"].split(", ")
    )
    _, checks = doctor(command, MAINSPRING_GUARDS__DRY_RUN="true")
    assert checks["guards"]["state"] == "weak"
    assert "nothing is refused" in checks["guards"]["detail"]
