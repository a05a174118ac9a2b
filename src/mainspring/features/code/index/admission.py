"""Which files belong into an index, and in what form: no secrets, nothing binary, huge, generated or vendored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from mainspring.telemetry import secrets

MASK = "[SECRET]"
VENDORED = frozenset(
    (
        *("node_modules", "bower_components", "vendor", "third_party", "third-party", "site-packages", "dist-packages"),
        *(".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "__pycache__", ".mypy_cache", ".ruff_cache"),
        *(".pytest_cache", ".eggs", ".gradle", ".idea", ".terraform", ".next", ".nuxt", "Pods", "DerivedData"),
    )
)
"""Folders that hold what others wrote, or what tools made."""
_SECRET_FILES = re.compile(
    r"^(\.env(\.(?!example$|sample$|template$|dist$).*)?|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg)|"
    r"id_(rsa|dsa|ecdsa|ed25519)|\.netrc|_netrc|\.pgpass|\.pypirc|\.npmrc|\.htpasswd|\.dockercfg|"
    r"credentials(\.(json|ya?ml|ini|toml))?|secrets?\.(json|ya?ml|ini|toml|env)|.*\.tfvars|.*\.tfstate(\.backup)?|"
    r"service[-_]account.*\.json)$",
    re.IGNORECASE,
)
_SECRET_FOLDERS = frozenset((".ssh", ".aws", ".gnupg", ".kube", ".docker"))
_GENERATED_NAMES = re.compile(
    r"(\.min\.(js|css)|\.map|\.lock|-lock\.(json|yaml)|\.pb\.go|_pb2(_grpc)?\.pyi?|\.g\.dart|\.designer\.cs|"
    r"^go\.sum|^package-lock\.json|^npm-shrinkwrap\.json)$",
    re.IGNORECASE,
)
_GENERATED = re.compile(
    r"@generated|(?:code|file|automatically|auto)[- ]generated.{0,80}(?:do not edit|do not modify|by )|"
    r"\bDO NOT EDIT\b",
    re.IGNORECASE,
)
# The name of a value that is secret, and the value within its quotes.
_ASSIGNED = re.compile(
    r"""((?:pass(?:word|wd|phrase)|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth|credential)[\w-]{0,80}
    ["']?\s{0,40}+(?::\s{0,40}[\w\[\]|][\w\[\]| ]{0,99}+)?\s{0,40}(?:=>|[:=])\s{0,40})
    (["'`])((?:(?!\2)[^\n\\]){8,200})\2""",
    re.IGNORECASE | re.VERBOSE,
)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]{0,40}://[^/\s:@\"']{1,64}:)([^/\s@\"']{3,128})(@)", re.IGNORECASE)
# What stands for a secret, is read from somewhere, or is a sentence.
_NO_SECRET = re.compile(
    r"^(?:.*[\s{}<>$%()].*|(?:your|my|the|some|test|fake|dummy|example|change|xxx|\*\*\*|\.\.\.).*|[a-z]+(?:[_.-][a-z]+)*)$",
    re.IGNORECASE | re.DOTALL,
)
_LONG_LINES = 400
_HEAD = 2_000


@dataclass(frozen=True, slots=True)
class Admitted:
    """The text that may be indexed, or the reason why there is none. ``masked`` secrets are replaced in it."""

    text: str = ""
    reason: str = ""
    masked: int = 0


def refused_by_name(path: str) -> str:
    """Why a file of this path is not indexed; empty if its text decides."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if not parts:
        return "no path"
    if VENDORED.intersection(parts[:-1]):
        return "vendored"
    if _SECRET_FOLDERS.intersection(parts[:-1]) or _SECRET_FILES.match(parts[-1]):
        return "secret"
    return "generated" if _GENERATED_NAMES.search(parts[-1]) else ""


def admit(path: str, text: str, most_bytes: int) -> Admitted:
    """Whether the file may be indexed, and its text with secrets masked."""
    if reason := refused_by_name(path):
        return Admitted(reason=reason)
    if len(text) > most_bytes or len(text.encode("utf-8", "replace")) > most_bytes:
        return Admitted(reason="too large")
    if "\0" in text:
        return Admitted(reason="binary")
    if generated(text):
        return Admitted(reason="generated")
    hidden, count = masked(text)
    return Admitted(hidden, "", count)


def generated(text: str) -> bool:
    """Whether a tool wrote ``text``: it says so in its head, or its lines are longer than people's."""
    if _GENERATED.search(text[:_HEAD]):
        return True
    return len(text) > _LONG_LINES * 4 and len(text) / (text.count("\n") + 1) > _LONG_LINES


def masked(text: str) -> tuple[str, int]:
    """``text`` with credentials replaced, those known by their shape and those known by the name of their variable;
    and how many."""
    shaped = secrets.mask(text)
    count = shaped.count(MASK) - text.count(MASK)

    def hide(found: re.Match[str]) -> str:
        nonlocal count
        before, quote, value = found[1], found[2], found[3]
        if value == MASK or _NO_SECRET.match(value):
            return found[0]
        count += 1
        return f"{before}{quote}{MASK}{quote}"

    def hide_password(found: re.Match[str]) -> str:
        nonlocal count
        if _NO_SECRET.match(found[2]):
            return found[0]
        count += 1
        return f"{found[1]}{MASK}{found[3]}"

    return _URL_PASSWORD.sub(hide_password, _ASSIGNED.sub(hide, shaped)), count
