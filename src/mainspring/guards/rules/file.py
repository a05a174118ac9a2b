"""Files of rules for answers: reads them, checks them, and derives a version from their content."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from mainspring.core import yaml_files
from mainspring.core.errors import SettingsError
from mainspring.core.settings.section import Section
from mainspring.guards.rules import safe_patterns

DEFAULT = "default"
"""The name of the file that comes with the package."""
VERSION = 1
"""Raise it whenever the same file makes something else of a text."""
_LONGEST_TERM = 60
_MOST_BYTES = 1_000_000


class Term(Section):
    """Words or phrases, matched whole and in any case, and their replacement. ``whole: false`` also matches beginnings
    of words."""

    find: tuple[str, ...] = Field(min_length=1)
    replace: str = Field(max_length=200)
    whole: bool = True

    @field_validator("find", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("find")
    @classmethod
    def _bounded(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not re.search(r"\w", each) or len(each) > _LONGEST_TERM:
                raise ValueError(f"{each!r}: a term has letters, and at most {_LONGEST_TERM} characters")
        return value


class Pattern(Section):
    """An expression whose matching time is bounded, and its replacement."""

    find: str
    replace: str = Field(max_length=200)


class Nsfw(Section):
    """Words that are not for the office: ``mask`` leaves their first letter, ``remove`` nothing."""

    terms: tuple[str, ...] = ()
    action: Literal["mask", "remove"] = "mask"

    _bounded = field_validator("terms")(Term._bounded.__func__)  # type: ignore[attr-defined]


class Format(Section):
    """The shape of an answer. ``max_sentences`` and ``max_characters`` cut it; ``disclaimer`` is appended."""

    strip_markdown: bool = False
    max_sentences: int | None = Field(None, ge=1, le=1000)
    max_characters: int | None = Field(None, ge=20, le=1_000_000)
    disclaimer: str = Field("", max_length=2000)


class Rules(Section):
    """A file of rules. ``code`` and ``quotes`` that are true are rewritten like anything else."""

    terms: tuple[Term, ...] = ()
    pronouns: Literal["off", "they"] = "off"
    nsfw: Nsfw = Nsfw()
    patterns: tuple[Pattern, ...] = ()
    format: Format = Format()
    code: bool = False
    quotes: bool = False

    _word = field_validator("pronouns", mode="before")(lambda value: "off" if value is False else value)

    @cached_property
    def version(self) -> str:
        """Changes when they may make something else of a text."""
        text = f"{VERSION} {self.model_dump_json()}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @cached_property
    def expressions(self) -> tuple[tuple[re.Pattern[str], int, str], ...]:
        """Each pattern compiled, with its width and its replacement. Raises ``SettingsError``."""
        return tuple((*safe_patterns.checked(each.find, "patterns"), each.replace) for each in self.patterns)

    @property
    def changing(self) -> bool:
        """Whether there are any rules."""
        return self != Rules(code=self.code, quotes=self.quotes)


def read(name: str) -> Rules:
    """The rules in the file ``name``, or those of the package. Raises ``SettingsError`` naming the file and the key."""
    if name == DEFAULT:
        return parse(files(__package__).joinpath("default.yaml").read_text(encoding="utf-8"), DEFAULT)
    path = Path(name).expanduser()
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{path} is larger than {_MOST_BYTES} bytes", remedy="Split it, or shorten it")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the rules {path} cannot be read: {error}", remedy="Correct guards.rules") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Rules:
    """The rules in ``text`` (YAML). Raises ``SettingsError`` naming ``source``."""
    try:
        content = yaml_files.load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{source} is not valid YAML: {error}", remedy="Correct it") from None
    if not isinstance(content, dict):
        raise SettingsError(
            f"{source} holds no rules", remedy="Begin with terms:, pronouns:, nsfw:, patterns: or format:"
        )
    try:
        rules = Rules.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingsError(
            f"{source}: {place}: {first['msg']}", remedy="docs/operate/security.md lists what a file says"
        ) from None
    try:
        assert rules.expressions is not None
    except SettingsError as error:
        raise SettingsError(f"{source}: {error.message}", remedy=error.remedy) from None
    return rules
