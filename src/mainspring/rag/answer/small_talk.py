"""Answers to messages that need no search: greetings, thanks, and questions about the collection.

Questions about the collection are answered from its catalogue: the names, titles, headings and times of the documents
that the asker may see. No model writes them, and nothing is invented.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.core.errors import NotFound
from mainspring.rag.parse.markup import markdown
from mainspring.stores.documents.catalogue import Document

Talk = Literal["greeting", "thanks", "farewell", "assent", "about", "recent", "oldest", "list", "able"]

_DOCUMENTS = r"(?:documents?|files?|docs|collection|library|corpus|knowledge base|handbook|sources?|data|material)"
# "The returns document" is one of them.
_THESE = (
    r"(?:(?:the|these|those|this|that|your|my|our|all(?: of)?(?: the| these)?)\s+)?"
    rf"(?:(?:document|file)|(?:\w+\s+)?(?!(?:document|file)\b){_DOCUMENTS})"
)
_LEAD = r"(?:(?:so|and|ok|okay|well|please|hi|hello|hey),?\s+)*(?:(?:can|could|would) you (?:please )?)?"
_GREETING = (
    r"(?:hi|hello|hey|hiya|howdy|yo|greetings|good (?:morning|afternoon|evening|day)|hallo|bonjour|hola)"
    r"(?:\s+(?:there|all|everyone|everybody|team|mainspring|again))?(?:[,!. ]+how are you(?: today| doing)?)?",
    r"how are you(?: today| doing)?",
    r"what[’']?s up",
    r"(?:(?:hi|hello|hey),? (?:i am|i[’']m|this is)|my name is) [^\W\d_]+(?: speaking| here)?",
    r"(?:may|can) i ask (?:you )?(?:something|a question)",
    r"(?:i have|i[’']ve got|i[’']ve) (?:got )?a (?:quick )?question",
    r"are you there|test(?:ing)?",
)
_THANKS = (
    r"(?:many |great,? |ok,? |perfect,? |super,? )?(?:thanks?(?: you)?|thx|ty|cheers|merci|danke|gracias)"
    r"(?:\s+(?:a lot|very much|so much|again|for (?:your|the) help|for that|everyone))?"
    r"(?:[,!. ]+that(?:[’']s| is| was)? (?:helps?|helped|very helpful|helpful|all|great|perfect|clear|it)"
    r"(?: for now)?)?",
    r"that (?:helps|helped)(?: a lot)?",
)
_ABOUT = (
    rf"what(?:[’']?s| is| are| do| does)?\s+(?:(?:in|inside)\s+)?{_THESE}(?:\s+(?:all|mainly|mostly))?\s*"
    rf"(?:about|say|cover|contain|deal with|for)?",
    rf"what (?:topics?|subjects?|themes?|areas?)\s+(?:do|does|are|is)\s+(?:\w+\s+){{0,2}}?{_THESE}"
    rf"(?:\s+(?:cover|about|in|treat|have|contain|deal with))?",
    r"what (?:is|are) (?:this|these|it|they|here)(?: all)? about",
    r"what(?:[’']?s| is) in (?:here|there|it|them)",
    r"what do you know(?: about)?",
    r"what (?:can|could|should) i ask(?: you)?(?: about)?|what is there to ask",
    rf"(?:give (?:me|us) )?(?:an? )?(?:overview|summary)(?: (?:of|over) {_THESE})?",
    rf"(?:summari[sz]e|describe|outline) {_THESE}",
    rf"what(?:[’']?s| is) {_THESE} (?:about|for)",
    rf"tell me (?:something )?about {_THESE}",
    r"(?:summari[sz]e|describe|outline) (?:everything|it all|all of (?:it|them|this))",
    r"(?:what|which) (?:topics?|subjects?|themes?|areas?) "
    r"(?:are (?:there|covered)|do you (?:cover|know)|can i ask about)",
    r"what (?:kinds?|sorts?|types?) of (?:questions?|things?) (?:can|could|should|may) i ask(?: you)?(?: about)?",
)
_RECENT = (
    rf"what(?:[’']?s|\s+is|\s+has|\s+was|\s+were|\s+are)?\s+(?:been\s+)?(?:new|changed|updated|added|modified)"
    rf"(?:\s+(?:most|last|lately|recently|most recently|since .{{1,30}}|in {_THESE}))*",
    rf"what (?:are|were|is|was) the (?:latest|last|newest|most recent) (?:changes?|updates?|additions?|{_DOCUMENTS})"
    rf"(?: (?:in|of|to) {_THESE})?",
    rf"(?:which|what) (?:of )?{_THESE} (?:is|are|was|were|has|have)?\s*(?:been )?(?:the )?"
    rf"(?:newest|latest|most recent|(?:changed|updated|added|modified) (?:last|most recently|recently|lately))",
    rf"(?:show|list)(?: me)? (?:the )?(?:latest|newest|recent|most recent) (?:changes|updates|{_DOCUMENTS})",
    rf"(?:which|what) (?:of )?{_THESE} (?:are|is|was|were|has been|have been) (?:new|changed|updated|added|modified)"
    r"(?: (?:most |last )?(?:recently|lately|today|yesterday|(?:this|last) (?:week|month|year)))?",
    rf"how (?:recent|old|new|current|up[- ]to[- ]date) (?:is|are) {_THESE}",
    rf"(?:are|is) {_THESE} (?:still )?(?:current|recent|up[- ]to[- ]date)",
    rf"when (?:was|were) (?:{_THESE}|this|these|it|they) last (?:updated|changed|modified)",
)
_OLDEST = (
    rf"(?:which|what) (?:of )?{_THESE} (?:is|are|was|were|has|have)?\s*(?:been )?(?:the )?(?:oldest|least recent"
    r"|(?:changed|updated|modified) (?:first|longest ago|least recently))",
    rf"what(?:[’']?s| is| are) the oldest {_DOCUMENTS}(?: (?:in|of) {_THESE})?",
)
_LIST = (
    rf"(?:which|what) {_DOCUMENTS} "
    rf"(?:do you have|are there|can you (?:see|read)|do you know|have you(?: got)?|did you read)",
    rf"(?:list|show|name)(?: me)? (?:all )?{_THESE}",
    rf"how many {_DOCUMENTS}(?: (?:are there|do you have|do you know|have you(?: got)?))?",
)
_ABLE = (
    r"what (?:can|do) you do(?: for me)?|what are you(?: able to do| for| good for)?|who are you|what is this",
    r"how (?:do|can) (?:i|you) (?:use (?:you|this)|work|help(?: me)?)|help(?: me)?|how does this work",
    r"what (?:can|could|do) you (?:help(?: me)?(?: with)?|answer|know how to do)|tell me (?:something )?about yourself"
    r"|who (?:made|built|created|are) you|introduce yourself",
    r"what are your (?:abilities|features|capabilities)|what[’']?s your name",
    r"are you (?:a (?:bot|robot|human|person)|an ai)",
)
_KINDS: Mapping[Talk, tuple[str, ...]] = {
    "greeting": _GREETING,
    "thanks": _THANKS,
    "farewell": (r"(?:good)?bye(?:[- ]bye)?|see you(?: later| soon)?|good night|that is all(?: for now)?|ciao",),
    "assent": (
        r"ok(?:ay)?|i see|got it|great|perfect|nice|cool|super|fine|alright|understood|well done|wow"
        r"|never ?mind|sorry|yes|no|(?:no|yes),? (?:thanks?|thank you|please)"
        r"|that(?: is|[’']s) (?:all|it|fine|clear)",
    ),
    "recent": _RECENT,
    "oldest": _OLDEST,
    "about": _ABOUT,
    "list": _LIST,
    "able": _ABLE,
}
_PATTERNS: Mapping[Talk, re.Pattern[str]] = {
    kind: re.compile(rf"\A\s*{_LEAD}(?:{'|'.join(patterns)})(?:\s*[?.!…]+)?\s*", re.IGNORECASE)
    for kind, patterns in _KINDS.items()
}
_BEFORE = re.compile(
    rf"\s*(?:(?:{'|'.join((*_GREETING, *_THANKS))})\s*[,.!…;:]+|(?:{'|'.join(_KINDS['assent'])})\s*[.!…]+)\s+(?=\S)",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"(?<=[?.!,;])\s*(?:{'|'.join(_THANKS)})(?: in advance| already)?(?:\s*[.!…]+)?\s*\Z", re.IGNORECASE
)
_REPLIES: dict[Talk, str] = {
    "greeting": "Hello. Ask me about the documents; I answer from what they say and show where it stands.",
    "thanks": "You are welcome.",
    "farewell": "Goodbye.",
    "assent": "Ask on when you like.",
}
_MOST_CHARACTERS = 120
# Documents whose texts are looked into, characters of each, headings that are named of each, and documents by name.
_READ, _BEGINNING, _HEADINGS, _NAMES = 24, 40_000, 6, 12
_GENERIC = frozenset(
    "introduction overview contents table of contents summary about readme index notes appendix references changelog "
    "see also further reading background general".split()
)


@dataclass(frozen=True, slots=True)
class Outline:
    """A document by its title, its headings of the second level, and the time of its last change in Unix seconds."""

    name: str
    title: str
    headings: tuple[str, ...]
    at: float


def talk(message: str) -> Talk | None:
    """The kind of small talk in ``message``; None if it is a question to search."""
    if len(message) > _MOST_CHARACTERS:
        return None
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.fullmatch(message)), None)


def without_courtesy(message: str) -> str:
    """``message`` without a greeting, thanks or assent before its question ("Thanks! And how long ...?"), and without
    thanks after it; a message of nothing else stays whole."""
    begin = 0
    while match := _BEFORE.match(message, begin):
        begin = match.end()
    return _AFTER.sub("", message[begin:]).rstrip(" ,;") or message


async def reply(
    kind: Talk, documents: Sequence[Document], text: Callable[[str], Awaitable[str]]
) -> tuple[str, list[Document]]:
    """(the reply to ``kind``, the documents that it names). ``documents`` are those that the asker may see, ``text``
    reads a blob's text."""
    if kind in _REPLIES:
        return _REPLIES[kind], []
    readable = [document for document in documents if document.generation]
    if not readable:
        return "There are no documents yet.", []
    newest = sorted(readable, key=lambda document: (-_changed(document), document.name))
    count = f"{len(readable)} document{'s' if len(readable) != 1 else ''}"
    if kind in ("recent", "oldest"):
        ordered = newest[:_NAMES] if kind == "recent" else newest[: -_NAMES - 1 : -1]
        lines = [f"- {document.name}, {_day(_changed(document))}" for document in ordered]
        return "\n".join(
            [f"Of {count} these changed {'last' if kind == 'recent' else 'longest ago'}:", *lines]
        ), ordered
    if kind == "list":
        first = sorted(readable, key=lambda each: each.name)[:_NAMES]
        lines = [f"- {document.name}" for document in first]
        more = [f"- and {len(readable) - _NAMES} more"] if len(readable) > _NAMES else []
        return "\n".join([f"There are {count}:", *lines, *more]), first
    looked = _spread(readable)
    outlines = await outlined(looked, text)
    lines = [_line(outline) for outline in outlines[:_NAMES]]
    more = [f"- and {len(readable) - len(lines)} more"] if len(readable) > len(lines) else []
    if kind == "about":
        return "\n".join([f"There are {count}. They are about:", *lines, *more]), looked
    asked = suggestions(outlines)[:3]
    examples = [f"For example: {'; '.join(asked)}."] if asked else []
    does = f"I answer questions from {count}, with the passages that say so, and tell you when they do not say."
    return "\n".join([does, *examples]), looked


async def outlined(documents: Sequence[Document], text: Callable[[str], Awaitable[str]]) -> list[Outline]:
    """The outlines of ``documents``, in order; documents removed in the meantime are skipped."""
    found = []
    for document in documents:
        try:
            body = (await text(document.text_blob))[:_BEGINNING]
        except NotFound:
            continue
        headings = markdown.headings(body) or markdown.capitals(body)
        titles = [heading.title for heading in headings if heading.level == 1][:1]
        title = titles[0] if titles else _plain(document.name)
        below = [each.title for each in headings if each.title != title and each.level <= 3]
        found.append(Outline(document.name, title, tuple(dict.fromkeys(below)), _changed(document)))
    return found


async def suggested(documents: Sequence[Document], text: Callable[[str], Awaitable[str]], most: int) -> list[str]:
    """Up to ``most`` questions that ``documents`` may answer; ``text`` reads a blob's text."""
    readable = [document for document in documents if document.generation]
    return suggestions(await outlined(_spread(readable), text), most)


def suggestions(outlines: Sequence[Outline], most: int = 6) -> list[str]:
    """Questions that the documents of ``outlines`` may answer, one of each in turn: headings in question form, and
    others as "What does TITLE say about HEADING?"."""
    rows = [_questions(outline) for outline in outlines]
    found: list[str] = []
    for turn in range(max(map(len, rows), default=0)):
        found += [row[turn] for row in rows if turn < len(row)]
    return list(dict.fromkeys(found))[:most]


def _questions(outline: Outline) -> list[str]:
    asked, others = [], []
    for heading in outline.headings:
        plain = re.sub(r"^[\d.]+\s+", "", heading).strip()
        if plain.endswith("?"):
            asked.append(plain)
        elif 1 < len(plain.split()) <= 8 and plain.lower() not in _GENERIC and len(plain) <= 60:
            others.append(f"What does {outline.title} say about “{plain}”?")
    return asked + others


def _spread(documents: Sequence[Document]) -> list[Document]:
    """Some of ``documents``, of all folders in turn."""
    folders: dict[str, list[Document]] = {}
    for document in sorted(documents, key=lambda each: (each.name.count("/"), each.name)):
        folders.setdefault(document.name.rpartition("/")[0], []).append(document)
    found: list[Document] = []
    turn = 0
    while len(found) < min(_READ, len(documents)):
        found += [row[turn] for row in folders.values() if turn < len(row)]
        turn += 1
    return found[:_READ]


def _line(outline: Outline) -> str:
    headings = [each for each in outline.headings if each.lower() not in _GENERIC][:_HEADINGS]
    told = f": {'; '.join(headings)}" if headings else ""
    return f"- {outline.title} ({outline.name}){told}"


def _plain(name: str) -> str:
    stem = name.rpartition("/")[2].rpartition(".")[0] or name
    return re.sub(r"[-_]+", " ", stem).strip() or name


def _changed(document: Document) -> float:
    return document.updated_at if document.modified_at is None else document.modified_at


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
