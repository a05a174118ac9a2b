"""The prompt of a completion, in the model's own format, and within its budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mainspring.engines.catalogue.entries import FimEntry
from mainspring.features.code.complete.place import Place
from mainspring.features.code.snippets.snippet import CHARACTERS_PER_TOKEN, Snippet, tokens_of
from mainspring.features.code.syntax import trees

_SUFFIX_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model continues, about how many tokens that is, and the snippets in it."""

    text: str
    tokens: int
    snippets: tuple[Snippet, ...]
    fills: bool


def prompt(place: Place, snippets: Sequence[Snippet], fim: FimEntry | None, most: int, repository: str) -> Prompt:
    """The prompt for a model that fills in the middle as ``fim`` says, or that only continues (None).

    The text before the cursor is cut at its beginning, the one behind it at its end, at whole lines.
    """
    if not place.after.strip():
        place = replace(place, after="")
    left = max(most - sum(each.tokens for each in snippets), most // 4)
    after = _head(place.after, int(left * _SUFFIX_SHARE)) if fim is not None else ""
    before = _tail(place.before, left - tokens_of(after) if after else left)
    if fim is not None and fim.file:
        files = [(each.path, each.text) for each in snippets]
        if after:
            text = fim.prompt(before, after, files, path=place.path, repository=repository)
        else:
            text = fim.continuing(before, files, path=place.path, repository=repository)
    else:
        # Models that know no files read the others as comments.
        mark = trees.comment_mark(place.suffix)
        shown = "".join(_commented(mark, each) for each in snippets)
        before = f"{shown}{mark} {place.path}\n{before}" if place.path and shown else shown + before
        text = fim.prompt(before, after) if fim is not None and after else before
    return Prompt(text, tokens_of(text), tuple(snippets), fim is not None and bool(after))


def _commented(mark: str, snippet: Snippet) -> str:
    lines = "\n".join(f"{mark} {line}".rstrip() for line in snippet.text.split("\n"))
    return f"{mark} {snippet.path}:\n{lines}\n\n"


def _tail(text: str, tokens: int) -> str:
    most = int(tokens * CHARACTERS_PER_TOKEN)
    if len(text) <= most:
        return text
    cut = text[-most:]
    return cut[cut.find("\n") + 1 :] if "\n" in cut else cut


def _head(text: str, tokens: int) -> str:
    most = int(tokens * CHARACTERS_PER_TOKEN)
    if len(text) <= most:
        return text
    cut = text[:most]
    return cut[: cut.rfind("\n")] if "\n" in cut else cut
