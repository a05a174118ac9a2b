"""The registry of prompts: checks new prompts, and finds, renders and names a request's prompt."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest, NotFound, SettingsError, TooLarge
from mainspring.core.types import Message, PromptUse
from mainspring.serving.prompts import template
from mainspring.stores.work.prompts import LATEST, Prompts, PromptVersion

PRODUCTION = "production"
"""The label that counts if neither a version nor a label is named."""
PREFIX = "prompt:"
MAX_CHARACTERS = 200_000
MAX_MESSAGES = 64
MAX_VARIABLES = 64
# Maximum over all messages, with their variables.
MAX_RENDERED = 4 * 2**20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Reference:
    """``prompt:NAME@LABEL`` or ``prompt:NAME@VERSION`` of the settings, read."""

    name: str
    wanted: str

    @classmethod
    def read(cls, text: str) -> Reference:
        """Raises ``ValueError``."""
        name, at, wanted = text.removeprefix(PREFIX).partition("@")
        good = text.startswith(PREFIX) and NAME.fullmatch(name) and (not at or is_wanted(wanted))
        if not good:
            raise ValueError(f"{text!r} is not a prompt: write prompt:NAME, prompt:NAME@LABEL or prompt:NAME@VERSION")
        return cls(name, wanted)


def is_wanted(text: str) -> bool:
    """Whether ``text`` can name a version: a number or a label."""
    return bool(LABEL.fullmatch(text)) or (text.isascii() and text.isdigit() and len(text) < 19)


def check_label(label: str) -> None:
    """Raises ``InvalidRequest`` for what cannot be set as a label."""
    if not LABEL.fullmatch(label) or label == LATEST:
        reason = "always is the newest version" if label == LATEST else "is not a label"
        raise InvalidRequest(
            f"{label!r} {reason}",
            remedy="A label begins with a small letter; small letters, digits, - and _ follow",
            param="label",
        )


def check_name(name: str) -> None:
    """Raises ``InvalidRequest`` for what cannot be a prompt's name."""
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} cannot be a prompt's name",
            remedy="1 to 128 letters, digits, dots, dashes and underscores, the first a letter or a digit",
            param="name",
        )


class PromptRegistry:
    """The prompts of all tenants. Prompts that the settings name belong to the tenant ``operator``."""

    def __init__(self, store: Prompts, operator: str = "default") -> None:
        self._store = store
        self._operator = operator

    async def add(
        self, tenant: str, name: str, messages: Sequence[Message], *, note: str = "", author: str = ""
    ) -> tuple[PromptVersion, bool]:
        """A new version, and True; the latest and False if it says the same. Raises ``InvalidRequest`` naming the
        message and line at fault, ``TooLarge``."""
        check_name(name)
        if not 1 <= len(messages) <= MAX_MESSAGES:
            raise InvalidRequest(f"a prompt has 1 to {MAX_MESSAGES} messages", param="messages")
        if sum(len(each.content) for each in messages) > MAX_CHARACTERS:
            raise TooLarge(f"a prompt has at most {MAX_CHARACTERS} characters", param="messages")
        variables: dict[str, None] = {}
        for number, each in enumerate(messages):
            param = "template" if len(messages) == 1 else f"messages[{number}].content"
            if each.role not in _ROLES:
                raise InvalidRequest(f"messages[{number}].role cannot be {each.role}", param=f"messages[{number}].role")
            if not each.content.strip():
                raise InvalidRequest(f"{param} is empty", param=param)
            variables |= dict.fromkeys(template.parse(each.content, param).variables)
        if len(variables) > MAX_VARIABLES:
            raise InvalidRequest(f"a prompt has at most {MAX_VARIABLES} variables", param="messages")
        return await self._store.add(tenant, name, messages, list(variables), note=note, author=author)

    async def resolve(self, tenant: str, use: PromptUse, param: str = "prompt") -> PromptUse:
        """``use`` with its version found and its messages rendered. Raises ``NotFound``, and ``InvalidRequest`` naming
        variables."""
        found = await self._store.find(tenant, use.name, use.wanted or PRODUCTION)
        return rendered(found, use, param)

    async def configured(self, reference: Reference, setting: str) -> PromptUse:
        """The prompt that ``setting`` names, rendered. Raises ``SettingsError``, because only the operator can help."""
        use = PromptUse(reference.name, reference.wanted, default=True)
        try:
            return await self.resolve(self._operator, use, setting)
        except (NotFound, InvalidRequest) as error:
            raise SettingsError(
                f"{setting} names {PREFIX}{reference.name}@{reference.wanted or PRODUCTION}: {error.message}",
                remedy=f"Add it to tenant {self._operator!r} with `mainspring prompts add` and `mainspring prompts "
                "label`; prompts of the settings have no variables",
            ) from None


def rendered(found: PromptVersion, use: PromptUse, param: str = "prompt") -> PromptUse:
    """``use`` under the version ``found``. Raises ``InvalidRequest`` naming variables, and ``TooLarge``."""
    template.checked(found.variables, use.variables, use.name, f"{param}.variables")
    messages: list[Message] = []
    room = MAX_RENDERED
    for each in found.messages:
        text = template.parse(each.content).render(use.variables, room)
        if text is None:
            raise TooLarge(
                f"prompt {use.name!r} with these variables has more than {MAX_RENDERED} characters",
                remedy="Send shorter ones",
                param=f"{param}.variables",
            )
        room -= len(text)
        messages.append(dataclasses.replace(each, content=text))
    return dataclasses.replace(use, version=found.version, sha256=found.sha256, rendered=tuple(messages))


def values(given: Mapping[str, object], param: str = "prompt.variables") -> dict[str, str]:
    """Variables as JSON holds them, as text. Raises ``InvalidRequest`` naming a value that is neither text, number nor
    truth value."""
    found: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, Mapping) and value.get("type") == "input_text":
            value = value.get("text")
        if isinstance(value, bool):
            found[name] = "true" if value else ""
        elif isinstance(value, str | int | float):
            found[name] = str(value)
        else:
            raise InvalidRequest(f"{param}.{name} is neither text, number nor true or false", param=f"{param}.{name}")
    return found
