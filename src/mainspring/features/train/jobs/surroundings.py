"""The environment of the processes that train: what they need, and no key of the server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mainspring.core.settings import Settings

_SOURCE = str(Path(__file__).parents[4])
_NAMES = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONHOME",
        "PYTHONHASHSEED", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "COVERAGE_PROCESS_START",
        "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "MAINSPRING_HOME", "MAINSPRING_CONFIG",
    }
)  # fmt: skip
_BEGINNINGS = (
    "LC_", "CUDA_", "NVIDIA_", "NCCL_", "GLOO_", "HIP_", "ROCR_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_",
    "TORCH_", "TORCHINDUCTOR_", "PYTORCH_", "TRITON_", "MAINSPRING_MODELS__", "MAINSPRING_ENGINES__",
    "MAINSPRING_RAG__", "MAINSPRING_ANSWERS__",
)  # fmt: skip
_SECRET = re.compile(r"KEY|TOKEN(?!S)|SECRET|PASSW|CREDENTIAL|AUTH|REMOTE", re.IGNORECASE)
_SHORTEST = 8
_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
WITHHELD = "withheld"


def environment(handed: Mapping[str, str] | None = None, *, whole: bool = False) -> dict[str, str]:
    """That of this process as far as training needs it, with this package first on the path: the interpreter may have
    another one, or none. ``handed`` says where the settings lie (``settings_of``). ``whole``: all of it, for runs of
    the operator that ask a model behind a key."""
    given = {**os.environ, **(handed or {})}
    own = given if whole else kept(given)
    before = own.get("PYTHONPATH", "")
    own["PYTHONPATH"] = f"{_SOURCE}{os.pathsep}{before}" if before else _SOURCE
    return own


def settings_of(settings: Settings) -> dict[str, str]:
    """What has a process read the settings of this one, whatever file a command named."""
    found = {"MAINSPRING_HOME": str(settings.home.absolute())}
    if settings.file is not None:
        found["MAINSPRING_CONFIG"] = str(settings.file)
    return found


def kept(given: Mapping[str, str]) -> dict[str, str]:
    """The variables on the list. What the configuration refers to by ``env:NAME`` is there, a secret without its
    value: the file could not be read otherwise."""
    own = {name: value for name, value in given.items() if _needed(name)}
    for name in _referred(given):
        if name in given:
            own.setdefault(name, WITHHELD if _looks_secret(name, given[name]) else given[name])
    return own


def redacted(text: str, given: Mapping[str, str] | None = None) -> str:
    """``text`` without the values of variables that are withheld and look like secrets, and without passwords in
    addresses and keys in headers."""
    found = os.environ if given is None else given
    for name, value in found.items():
        if len(value) >= _SHORTEST and value != WITHHELD and not _needed(name) and _looks_secret(name, value):
            text = text.replace(value, f"[{name}]")
    text = re.sub(r"(://[^\s/:@]{0,200}:)[^\s/@]{1,400}@", r"\1[password]@", text)
    text = re.sub(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,2000}", r"\1[key]", text)
    return re.sub(r"\b((?:sk|pk|hf|ms|ghp)[-_])[\w-]{12,400}", r"\1[key]", text)


def _needed(name: str) -> bool:
    return name in _NAMES or (name.startswith(_BEGINNINGS) and not _SECRET.search(name))


def _looks_secret(name: str, value: str) -> bool:
    return bool(_SECRET.search(name)) or "://" in value


def _referred(given: Mapping[str, str]) -> list[str]:
    place = Path(given.get("MAINSPRING_CONFIG") or "mainspring.yaml")
    try:
        return _REFERENCE.findall(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return []
