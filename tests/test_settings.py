"""Settings: origins, precedence, and errors that suggest the nearest key."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core import slices
from mainspring.core.errors import SettingsError
from mainspring.core.settings import ModelsSettings, Section, Settings, describe, load, tree
from mainspring.features.compliance.settings import ComplianceSettings
from mainspring.features.monitor.settings import MonitorSettings


def write(folder: Path, text: str) -> Path:
    path = folder / "mainspring.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_environment_wins_over_file_over_default(tmp_path: Path) -> None:
    path = write(tmp_path, "gateway:\n  port: 9000\n  host: 0.0.0.0\n")
    loaded = load(path, {"MAINSPRING_GATEWAY__PORT": "9001"})
    assert loaded.settings.gateway.port == 9001
    assert loaded.settings.gateway.host == "0.0.0.0"
    origins = {key: origin for key, _, origin in describe(loaded)}
    assert origins["gateway.port"] == "environment MAINSPRING_GATEWAY__PORT"
    assert origins["gateway.host"] == str(path)
    assert origins["rag.top_k"] == "default"


def test_describe_names_every_setting_once(tmp_path: Path) -> None:
    keys = [key for key, _, _ in describe(load(write(tmp_path, ""), {}))]
    assert len(keys) == len(set(keys))
    assert "models.remote" in keys


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("MAINSPRING_GATEWAY__PROT", "MAINSPRING_GATEWAY__PORT"),
        ("MAINSPRING_GATEWAY_PORT", "MAINSPRING_GATEWAY__PORT"),
        ("MAINSPRING_DATTA", "MAINSPRING_DATA"),
    ],
)
def test_a_misspelt_environment_name_suggests_the_nearest(name: str, suggestion: str) -> None:
    with pytest.raises(SettingsError, match=f"Did you mean {suggestion}"):
        load(environment={name: "1"})


def test_an_unknown_key_in_the_file_names_the_file_and_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "rag:\n  topk: 3\n")
    with pytest.raises(SettingsError, match=r"rag\.topk in .*mainspring\.yaml.*rag\.top_k"):
        load(path, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gateway: [1", "not valid YAML"),
        ("- a\n- b\n", "mapping of sections"),
        ("gateway:\n  port: high\n", r"gateway\.port"),
        ("gateway:\n  port: 70000\n", r"gateway\.port"),
        ("gateway: 5\n", "gateway"),
        ("gateway: {port: 1}\ngateway: {port: 2}\n", "gateway occurs twice"),
        ("stores: {cache_ttl_s: .inf}\n", r"stores\.cache_ttl_s .*finite"),
        ("prices: {models: {far: {input: 1e300, output: 1.0}}}\n", r"prices\.models\.far\.input"),
        ("prices: {models: {far: {}}}\n", r"prices\.models\.far: set either input and output"),
        ("monitor: {webhooks: {w: {url: 'http://u:p@[::1'}}}\n", r"monitor\.webhooks\.w\.url: url is not a valid URL"),
        (
            "monitor: {email: {host: h, sender: a@b.c, to: ['d@e.f\\nBcc: g@h.i']}}\n".replace("'", '"'),
            r"monitor\.email\.to\.0",
        ),
        ("prices: {applications: {qa: -1}}\n", r"prices\.applications\.qa"),
        ("monitor: {slos: {x: {kind: latency}}}\n", r"monitor\.slos\.x: objectives of kind latency"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(write(tmp_path, text), {})


def test_a_missing_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "nothing.yaml", {})


def test_remote_models_come_from_the_environment_too() -> None:
    environment = {
        "MAINSPRING_MODELS__REMOTE__BIG__URL": "http://127.0.0.1:1/v1",
        "MAINSPRING_MODELS__REMOTE__BIG__MODEL": "qwen",
    }
    remote = load(environment=environment).settings.models.remote
    assert remote["big"].model == "qwen"


def test_secrets_are_not_described(tmp_path: Path) -> None:
    text = "models:\n  remote:\n    big: {url: http://x, model: y, api_key: sk-secret}\n"
    assert "sk-secret" not in str(list(describe(load(write(tmp_path, text), {}))))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().gateway.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("reranker", "late"),
    [
        ("late", ("base",)),
        ("late:other", ("other",)),
        ("late+other", ("base", "other")),
        ("late+base", ("base",)),
        ("late:one+other", ("one", "other")),
        ("later", ()),
        ("", ()),
    ],
)
def test_models_that_rerank_by_late_interaction(reranker: str, late: tuple[str, ...]) -> None:
    assert ModelsSettings(embedding="base", reranker=reranker).late == late


@pytest.mark.parametrize("reranker", ["late:", "late+", "late:one+", "late++other"])
def test_late_interaction_lacks_a_model(reranker: str) -> None:
    with pytest.raises(ValueError, match="lacks the name of an embedding model"):
        ModelsSettings(reranker=reranker)


def test_a_bare_off_is_the_word_where_it_is_one(tmp_path: Path) -> None:
    text = (
        "engines: {speculation: off}\ntelemetry: {log_requests: off}\nrag: {graph: off, ocr: off}\n"
        "guards:\n  injection: off\n  untrusted: {user: off}\n  answers: {toxicity: off}\n  tools: {arguments: off}\n"
        "  policies: {calm: {applications: [a], pii_output: off, dry_run: off}}\n"
    )
    made = load(write(tmp_path, text), {}).settings
    assert (made.engines.speculation, made.telemetry.log_requests, made.rag.graph) == ("off", "off", "off")
    assert made.rag.ocr is False
    guards = made.guards
    assert (guards.injection, guards.untrusted.user, guards.answers.toxicity) == ("off", "off", "off")
    assert guards.tools.arguments == "off"
    assert (guards.policies["calm"].pii_output, guards.policies["calm"].dry_run) == ("off", False)
    told = load(write(tmp_path, ""), {"MAINSPRING_ENGINES__SPECULATION": "off"}).settings
    assert told.engines.speculation == "off"


def test_a_user_without_a_home_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    environment: dict[str, str] = {}
    for name in ("MAINSPRING_HOME", "MAINSPRING_MODELS__DIRECTORY"):
        with pytest.raises(SettingsError, match=name):
            load(environment=environment)
        environment[name] = str(tmp_path)
    assert load(environment=environment).settings.home == tmp_path


@pytest.mark.parametrize("name", ["MODELS__REPLICAS__SMALL", "SERVING__TIERS__GOLD__REQUESTS_PER_DAY"])
def test_the_environment_sets_what_has_names_of_the_users(name: str) -> None:
    """No list names these settings: what is a mapping is one."""
    with pytest.raises(SettingsError, match="unknown environment variable"):
        load(environment={f"MAINSPRING_{name.replace('__', '__NO_SUCH_', 1)}": "2"})
    loaded = load(environment={f"MAINSPRING_{name}": "2", "MAINSPRING_MODELS__CHAT": "[small]"}).settings
    assert 2 in (
        loaded.models.replicas.get("small"),
        *(each.requests_per_day for each in loaded.serving.tiers.values()),
    )


def test_a_feature_declares_its_section_in_its_own_folder() -> None:
    """Nobody lists it: names of the environment, mappings and the doctor know it all the same."""
    environment = {
        "MAINSPRING_MONITOR__WEBHOOKS__OPS__URL": "https://ops.example/",
        "MAINSPRING_COMPLIANCE__AUDIT_KEY": "k",
    }
    loaded = load(environment=environment)
    assert loaded.settings.section(MonitorSettings).webhooks["ops"].url == "https://ops.example/"
    # A section of which a room reads a part is one: the feature's class extends the room's.
    assert loaded.settings.section(ComplianceSettings) is loaded.settings.compliance
    assert loaded.settings.compliance.audit_key == "k"
    assert {"batches.lease_s", "monitor.slos", "replays.lease_s"} <= {key for key, _, _ in describe(loaded)}
    with pytest.raises(SettingsError, match="no feature declares AnotherSettings"):
        loaded.settings.section(AnotherSettings)


class AnotherSettings(Section):
    """Nobody's."""


def test_two_features_do_not_declare_one_section(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [("one", {"mine": AnotherSettings}), ("two", {"mine": AnotherSettings})]
    monkeypatch.setattr(slices, "declared", lambda *_: iter(both))
    with pytest.raises(SettingsError, match="two declares the settings mine, which another feature owns"):
        tree.sections()
    monkeypatch.setattr(slices, "declared", lambda *_: iter([("one", {"gateway": AnotherSettings})]))
    with pytest.raises(SettingsError, match="one declares the settings gateway"):
        tree.sections()
