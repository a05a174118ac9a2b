"""Settings of routes and replicas: what is wrong is said, and the documentation's examples are settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.settings import load
from tests.conftest import ROOT


def loaded(tmp_path: Path, text: str, **environment: str) -> object:
    path = tmp_path / "mainspring.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environment).settings


@pytest.mark.parametrize("page", ["guides/routing.md", "reference/engines.md"])
def test_examples_are_settings(tmp_path: Path, page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        loaded(tmp_path, block, BIG_KEY="sk-1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serving: {routes: {r: {arms: {a: {model: smollm}}}}}", "did you mean smollm2-135m-instruct"),
        ("serving: {routes: {r: {arms: {}}}}", "arms"),
        ("serving: {routes: {r: {arms: {a: {model: smollm2-135m-instruct, weight: 0}}}}}", "weight above 0"),
        ("models: {replicas: {other: 2}}", "other is not in models.chat"),
        ("models: {replicas: {smollm2-135m-instruct: 0}}", "at least 1"),
        ("models: {remote: {big: {url: u, model: m, api_key: 'env:NOT_SET'}}}", "NOT_SET is not set"),
        ("models: {vllm: {v: {model: m, url: 'http://x', replicas: 2}}}", "without url"),
        ("serving: {balance: {policy: random}}", "policy"),
        ("serving: {balance: {slak: 2}}", "serving.balance.slack"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        loaded(tmp_path, text)


def test_values_may_stand_in_the_environment(tmp_path: Path) -> None:
    text = "models: {remote: {big: {url: 'env:BIG_URL', model: m, replicas: [{url: u, api_key: 'env:K'}]}}}"
    settings = load(_written(tmp_path, text), {"BIG_URL": "http://far", "K": "sk-9"}).settings
    first, second = settings.models.remote["big"].endpoints()
    assert (first.url, second.api_key, second.model) == ("http://far", "sk-9", "m")
    assert "sk-9" not in repr(settings)


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mainspring.yaml"
    path.write_text(text, encoding="utf-8")
    return path
