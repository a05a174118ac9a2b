"""The page of schemas is what the code does."""

from __future__ import annotations

import importlib.util

from tests.conftest import ROOT

spec = importlib.util.spec_from_file_location("schemas_page", ROOT / "scripts" / "schemas_page.py")
assert spec is not None
assert spec.loader is not None
schemas_page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(schemas_page)


def test_the_page_is_as_the_code() -> None:
    assert schemas_page.PAGE.read_text(encoding="utf-8") == schemas_page.written()


def test_types_of_the_common_libraries_are_accepted() -> None:
    page = schemas_page.written()
    refused = [line.partition("|")[2].partition("|")[0].strip() for line in page.splitlines() if "| refused:" in line]
    # These are no types of JSON.
    assert refused == ["`RegExp`", "`Uint8Array`", "`Date`", "`BigInt`"]
