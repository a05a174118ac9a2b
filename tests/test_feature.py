"""Features are found in their folder, and their declarations are collected."""

from __future__ import annotations

import pytest

from mainspring.command import commands
from mainspring.core.errors import SettingsError
from mainspring.feature import Services, features


def test_features_are_found_by_their_folders() -> None:
    found = {feature.name: feature for feature in features()}
    assert {"approvals", "batches", "compliance", "monitor", "prompts", "replays", "sessions"} <= set(found)
    assert found["monitor"].work is not None
    assert found["approvals"].open is None


def test_their_commands_are_found() -> None:
    names = [command.name for command in commands()]
    assert {"alerts", "slos", "audit", "subjects", "import", "replay"} <= set(names)
    assert len(names) == len(set(names))


def test_services_are_found_by_their_class() -> None:
    services = Services()
    services.add("a text")
    assert services[str] == "a text"
    with pytest.raises(SettingsError, match="two features have the service str"):
        services.add("another")
    with pytest.raises(SettingsError, match="no feature has the service int"):
        services[int]
