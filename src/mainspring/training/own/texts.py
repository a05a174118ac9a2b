"""Rows as texts and as tokens: whatever rows an export has, a language model reads one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from mainspring.core.errors import InvalidRequest, ModelError
from mainspring.training.own.words import BEGIN, END

ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
"""Tokens that begin a turn; a turn ends with the token that ends texts."""
ASSISTANT = ROLES[2]
PAIRS = (("prompt", "completion"), ("source", "target"), ("question", "answer"))
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""The same turns as a template, for engines that serve the model."""

Turns = list[tuple[str, str]]
"""Roles as their tokens, with what they say; the role of plain text is empty."""


def turns_of(row: Mapping[str, Any]) -> Turns:
    """What a row says: ``text``; ``messages``; or a pair of ``PAIRS``. Raises ``InvalidRequest`` naming what a row
    lacks."""
    if isinstance(row.get("text"), str):
        return [("", row["text"])]
    if isinstance(row.get("messages"), list):
        return [_turn(each) for each in row["messages"]]
    if (pair := pair_of(row)) is not None:
        return [(ROLES[1], pair[0]), (ASSISTANT, pair[1])]
    raise InvalidRequest(
        f"a row has no text: its fields are {', '.join(map(str, row))}",
        remedy="Give rows with `text`, `messages`, or `prompt` and `completion`",
        param="train",
    )


def pair_of(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The two sides of a row that has two, such as ``source`` and ``target``."""
    for first, second in PAIRS:
        if isinstance(row.get(first), str) and isinstance(row.get(second), str):
            return row[first], row[second]
    return None


def texts(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What is said in rows, without roles."""
    for row in rows:
        for _, said in turns_of(row):
            if said.strip():
                yield said


def language_of(row: Mapping[str, Any]) -> str:
    """The language that a row names, or nothing."""
    found = row.get("language", "")
    return found if isinstance(found, str) else ""


class RowEncoder:
    """Turns rows into tokens. What somebody says is never read as a special token, whatever it is."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        tokenizer.encode_special_tokens = True

    def plain(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def row(self, turns: Turns) -> tuple[list[int], list[bool]]:
        """Tokens, and whether each is the assistant's. Plain text is all the assistant's."""
        ids, own = [BEGIN], [False]
        for role, said in turns:
            spoken = [*self.plain(said), END]
            if role:
                ids.append(self.special(role))
                own.append(False)
            ids += spoken
            own += [role in ("", ASSISTANT)] * len(spoken)
        return ids, own

    def prompt(self, turns: Turns) -> list[int]:
        """The same, up to where the assistant begins."""
        return [*self.row(turns)[0], self.special(ASSISTANT)]

    def special(self, name: str) -> int:
        """Raises ``ModelError`` if the tokenizer has not this token."""
        found = self.tokenizer.token_to_id(name)
        if found is None:
            raise ModelError(
                f"the tokenizer has no token {name}",
                remedy="Train it with the option `special`, which names such tokens",
                param="options.special",
            )
        return int(found)

    def said(self, ids: Sequence[int]) -> str:
        """Tokens as text, special ones left out."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text


def _turn(message: Any) -> tuple[str, str]:
    role = message.get("role") if isinstance(message, Mapping) else None
    if f"<|{role}|>" not in ROLES:
        raise InvalidRequest(
            f"a message has the role {role!r}", remedy="Roles are system, user and assistant", param="train"
        )
    content = message.get("content")
    if not isinstance(content, str):
        raise InvalidRequest("a message has no text in `content`", remedy="Give plain text", param="train")
    return f"<|{role}|>", content
