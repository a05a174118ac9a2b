"""What the caller's shell says must not decide how a test ends: it is put aside before anything reads it."""

from __future__ import annotations

from collections.abc import MutableMapping

KEPT = ("MAINSPRING_DATA", "MAINSPRING_MODELS__DIRECTORY", "MAINSPRING_STORES__")
"""What tests are told in this way: data sets, pulled models, services."""
ASIDE = ("MAINSPRING_", "OPENAI_", "ANTHROPIC_", "AZURE_", "OTEL_")
SMALL = {"MAINSPRING_MODELS__LARGER": "", "MAINSPRING_SERVING__DEFAULT_OUTPUT_TOKENS": "48"}
"""What a server of the tests is started with: it serves the small model alone, and pulls no other behind it. Where a
request names no bound, an answer is short: the model would ramble for hundreds of tokens."""
LOOKS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TERMINAL_WIDTH", "LINES")


def neutral(environment: MutableMapping[str, str]) -> None:
    """Take out settings, keys and wishes about the terminal; servers of this machine are reached without proxies."""
    for name in list(environment):
        if name in LOOKS or (name.startswith(ASIDE) and not name.startswith(KEPT)):
            del environment[name]
    # Without kept bytecode each process that a test starts compiles all that it imports.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["COLUMNS"] = "100"
    if any(name.lower().endswith("_proxy") for name in environment):
        environment["no_proxy"] = environment["NO_PROXY"] = "127.0.0.1,localhost"
