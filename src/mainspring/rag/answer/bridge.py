"""Questions about a thing by its code, where a document tells the fact under the thing's name.

"What is the warranty period for the igniter of CS-26?" is in no document: one says that CS-26 is the Cinder stove, and
another how long the igniter of the Cinder stove is covered. If the documents lack a code together with the rest of a
question, the title of the one document with the code says what it stands for, and the question is asked about that
instead.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Protocol

from mainspring.rag.answer.evidence import exact_names
from mainspring.rag.answer.evidence.exact_names import ExactName
from mainspring.rag.answer.findings import Findings
from mainspring.rag.query.question_parts import Lookup, joined
from mainspring.rag.search.hit import Hit

_SUBTITLE = re.compile(r":\s|\s[-–—|]\s")
_CODE = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


class Find(Protocol):
    """Searches for a text. Where it is a ``code`` alone, only sentences with that are wanted."""

    def __call__(self, text: str, code: ExactName | None = None, /) -> Awaitable[Findings]: ...


def within(code: ExactName, hits: Sequence[Hit]) -> bool:
    """Whether a sentence of ``hits`` may have ``code``."""
    return any(code.text.casefold() in hit.text.casefold() for hit in hits)


async def bridged(whole: Findings, find: Find) -> Lookup:
    """The findings for the thing that the code in a question stands for; ``whole``, the findings of the question
    itself, if that leads nowhere. ``find`` searches for another text; it is called twice at most."""
    alone = Lookup(whole, (whole,))
    codes = [each for each in whole.lacks if each.kind == "identifier" and _CODE.fullmatch(each.text)]
    if len(codes) != 1 or len(whole.lacks) > 1:
        return alone
    code = codes[0]
    named = await find(code.text, code)
    passages = [passage for passage in named.passages if exact_names.has(passage.text, code)]
    titles = {passage.hit.document_id: _thing(passage.heading.partition(" > ")[0]) for passage in passages}
    if len(titles) != 1 or not all(titles.values()):
        return alone
    (title,) = titles.values()
    found = await find(whole.question.replace(code.text, title))
    if not found.passages or found.lacks:
        return alone
    each = (found, replace(named, passages=passages[:1], lacks=()))
    return Lookup(joined(whole.question, each), each)


def _thing(title: str) -> str:
    """What a document's ``title`` names: "Cinder Stove: Owner's Sheet" is about the Cinder Stove."""
    return _SUBTITLE.split(title, maxsplit=1)[0].strip()
