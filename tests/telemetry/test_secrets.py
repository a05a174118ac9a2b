"""Masking of credentials."""

from __future__ import annotations

import pytest

from mainspring.telemetry.secrets import mask

KEY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"a {KEY}, b {KEY}", "a [SECRET], b [SECRET]"),
        ("Bearer ms-Zk3v9QmX2LtR8sWcYb1N7aJdHfGpUe0T", "Bearer [SECRET]"),
        ("xoxb-1234567890-abcdef", "[SECRET]"),
        ("nothing here, skip-level-meeting", "nothing here, skip-level-meeting"),
        ("sk-" + "a1" * 100, "[SECRET]"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text) == masked
