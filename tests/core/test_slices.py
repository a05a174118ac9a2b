"""Features are found by their location, and a missing module imports nothing."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from mainspring.core import slices


def test_what_features_declare_is_found_by_the_name_of_a_module() -> None:
    assert {"monitor", "batches", "compliance"} <= set(slices.having("settings"))
    assert [name for name, _ in slices.declared("scopes", "SCOPES")] == sorted(slices.having("scopes"))
    assert {"agents", "approvals"} <= set(slices.having("scopes"))
    assert [name for name, _ in slices.declared("feature", "FEATURE")] == sorted(slices.having("feature"))
    assert list(slices.declared("scopes", "NOTHING")) == []


def test_a_feature_without_the_module_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []

    def note(name: str) -> ModuleType:
        imported.append(name)
        return sys.modules[__name__]

    monkeypatch.setattr(slices, "import_module", note)
    list(slices.declared("holdings", "HOLDINGS"))
    having = sorted(slices.having("holdings"))
    assert imported == [f"mainspring.features.{feature}.holdings" for feature in having]
    assert "batches" in having
    assert "approvals" not in having
