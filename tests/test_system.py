"""The composition root."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.settings import Settings
from mainspring.features.toolsets.settings import ToolSettings
from mainspring.stores import open as open_stores
from mainspring.system import System

pytestmark = pytest.mark.slow


async def test_every_room_has_the_secrets_that_the_settings_name(tmp_path: Path) -> None:
    named = {"tools": {"secrets": {"crm": {"value": "credential:crm", "hosts": ["crm.example"]}}}}
    web = {"web_search": {"kind": "brave", "api_key": "credential:crm"}}
    settings = Settings.model_validate({"home": tmp_path, "models": {"chat": []}, **named, **web})
    async with open_stores(settings) as stores:
        await stores.credentials.set("crm", "s3cr3t-of-crm")
    async with System.open(settings) as system:
        assert system.rooms.settings.section(ToolSettings).secrets["crm"].value == "s3cr3t-of-crm"
        assert system.library.web.settings.api_key == "s3cr3t-of-crm"
        assert "s3cr3t" not in repr(system.settings.web_search)
