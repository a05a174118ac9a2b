"""Each route asks for a declared scope, or its server does not start."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.scopes import OPERATE, SCOPES, with_implied
from mainspring.http.access import access_to


def test_a_route_cannot_ask_for_a_scope_that_nobody_declares() -> None:
    keys: Any = None
    access = access_to(keys, 1.0)
    access("approve")
    with pytest.raises(SettingsError, match=r"the scope 'aprove', which nobody declares.*`scopes`"):
        access("aprove")


def test_admin_brings_the_scopes_of_features_and_not_that_of_the_operator() -> None:
    assert {"approve", "prompts", "replay"} <= set(SCOPES)
    assert with_implied(frozenset({"admin"})) == frozenset(SCOPES) - {OPERATE}
