"""What the scripts say about themselves when they are asked with ``--help``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from _report import RESULTS

SCRIPTS = sorted(RESULTS.parent.glob("[a-z]*.py"))
# Other scripts start them, with the arguments that their first lines name.
STARTED = {"load_client", "overload_client", "peer_engine"}
# What argparse fills in.
FILLED = {"prog": "it", "default": 1, "type": "int", "choices": "a, b", "metavar": "N", "dest": "it", "nargs": "?"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_is_asked_of_a_parser_and_can_be_written(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    by_hand = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute) and ast.unparse(each) == "sys.argv"]
    assert not by_hand or script.stem in STARTED
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or ast.unparse(call.func).rpartition(".")[2] != "add_argument":
            continue
        for keyword in call.keywords:
            if keyword.arg == "help" and isinstance(keyword.value, ast.Constant):
                # A bare % raises here, as it does in argparse.
                assert str(keyword.value.value) % FILLED
