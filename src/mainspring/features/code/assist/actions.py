"""Explain, fix, test and document a selection: one question to a chat model, with what the workspace defines.

Code that comes back is taken from its fenced block and must parse in its place; where it does not, the model is asked
once more, and told the fault.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mainspring.core.path import Answer, collect
from mainspring.core.types import ChatRequest, Context, Message, Responder, Sampling
from mainspring.features.code.complete.place import Place
from mainspring.features.code.index.catalogue import Catalogue
from mainspring.features.code.snippets.gather import gather
from mainspring.features.code.snippets.snippet import Snippet, chosen
from mainspring.features.code.syntax import symbols, trees

Action = Literal["explain", "fix", "test", "document"]
_FENCED = re.compile(r"```[\w+#.-]*\n(.*?)```", re.DOTALL)
_ONLY = "in one fenced block, and nothing else."
_ASKS: dict[Action, str] = {
    "explain": "Explain what this code does, briefly and exactly.",
    "fix": f"Fix this code. Answer with the whole corrected code, indented as it is, {_ONLY}",
    "test": f"Write tests for this code. Answer with one file of tests, imports included, {_ONLY}",
    "document": f"Write documentation for this code in place. Answer with the whole code and its documentation {_ONLY}",
}
_FRAMEWORKS = {"py": "pytest", "js": "node:test", "ts": "vitest", "go": "testing", "rs": "cargo test", "java": "JUnit"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Lines ``first`` to ``last`` (from 0) of ``text``, a file in the language ``suffix``."""

    text: str
    first: int
    last: int
    suffix: str
    path: str = ""

    @property
    def selected(self) -> str:
        return "\n".join(self.text.split("\n")[self.first : self.last + 1])

    def with_code(self, code: str) -> str:
        """The file with ``code`` in place of the selection."""
        lines = self.text.split("\n")
        return "\n".join([*lines[: self.first], code, *lines[self.last + 1 :]])

    def around(self) -> Selection:
        """The definition around the selection, if that is of one line."""
        if self.last > self.first:
            return self
        outline = symbols.outline(self.text, self.suffix).symbols if self.suffix else ()
        holding = [each for each in outline if each.first <= self.first <= each.last and each.kind != "value"]
        inner = max(holding, key=lambda each: each.first, default=None)
        return self if inner is None else replace(self, first=inner.first, last=inner.last)


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What came of an action: the answer, and the code in it (empty: none). ``parses``: with it the file parses, or by
    itself if it is a file of tests (None: nobody can say). Code that does not parse is not to be put anywhere."""

    answer: Answer
    selection: Selection
    code: str = ""
    parses: bool | None = None
    attempts: int = 1


async def act(
    action: Action,
    selection: Selection,
    model: str,
    responder: Responder,
    context: Context,
    *,
    catalogue: Catalogue | None = None,
    diagnostics: Sequence[str] = (),
    max_tokens: int = 800,
    store: bool = False,
) -> ActionResult:
    """Ask ``model`` through ``responder``."""
    selection = selection.around()
    place = Place("\n".join(selection.text.split("\n")[: selection.last + 1]), "", selection.suffix, selection.path)
    snippets = chosen(gather(place, catalogue), 600) if catalogue is not None else []
    messages: tuple[Message, ...] = (Message("user", question(action, selection, snippets, diagnostics)),)
    for attempt in (1, 2):
        sampling = Sampling(max_tokens, 0.0 if attempt == 1 else 0.4)
        request = ChatRequest(model, messages, sampling, store=store)
        answer = await collect(await responder.respond(request, context))
        if action == "explain":
            return ActionResult(answer, selection)
        code = _code(answer.text, selection, action)
        parses = _parses(code, selection, action)
        if parses is not False or attempt == 2:
            return ActionResult(answer, selection, code, parses, attempt)
        messages = (*messages, Message("assistant", answer.text), Message("user", "That does not parse. Correct it."))
    raise AssertionError


def question(action: Action, selection: Selection, snippets: Sequence[Snippet], diagnostics: Sequence[str]) -> str:
    """What the model is asked."""
    fence = selection.suffix
    parts = [f"```{fence}\n# {each.path}\n{each.text}\n```" for each in snippets]
    known = ["From the same workspace:", *parts] if parts else []
    asks = _ASKS[action]
    if action == "test" and (framework := _FRAMEWORKS.get(selection.suffix)):
        asks = asks.replace("Write tests", f"Write tests with {framework}")
    where = f" (in {selection.path}, lines {selection.first + 1} to {selection.last + 1})" if selection.path else ""
    problems = ["It has these problems:", *(f"- {each}" for each in diagnostics)] if diagnostics else []
    return "\n".join([*known, asks + where, f"```{fence}\n{selection.selected}\n```", *problems])


def _code(text: str, selection: Selection, action: Action) -> str:
    """The code of the longest fenced block, indented as the selection is."""
    blocks = [each.rstrip() for each in _FENCED.findall(text)]
    code = max(blocks, key=len, default="")
    if not code or action == "test":
        return code
    wanted, had = _indent(selection.selected), _indent(code)
    if wanted and not had:
        return "\n".join(wanted + line if line.strip() else line for line in code.split("\n"))
    return code


def _indent(text: str) -> str:
    first = next((line for line in text.split("\n") if line.strip()), "")
    return first[: len(first) - len(first.lstrip())]


def _parses(code: str, selection: Selection, action: Action) -> bool | None:
    if not code:
        return False
    whole = code if action == "test" else selection.with_code(code)
    faults = trees.faults(whole, selection.suffix)
    return None if faults is None else faults == 0
