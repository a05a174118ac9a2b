"""The use of a sentence, list item, table row or block of code: which of them may be shown as an answer.

A statement may. A heading, a question, a lead-in ("The fees are as follows:"), a page's footer and a stub ("See
above.") say nothing by themselves. The rules look at the form of the text, for English and the marks of other scripts;
a sentence that matches no rule is a statement.
"""

from __future__ import annotations

import re
from typing import Literal

Role = Literal["statement", "heading", "question", "lead_in", "footer", "stub"]

# Closing quotes, brackets and marks of emphasis behind the last mark.
_CLOSING = " \t\n\"'”’»)]*_`"
_ASKS = tuple("?？؟፧՞")
_LEADS_IN = re.compile(
    r"(?:[:：]\s*[-–—]*|[^\W\d_][*_`)\"”’]*\s[-–—]+|\w—|\w\s(?:like|such as|including|namely"
    r"|for (?:example|instance)))$"
)
_POINTS_ON = re.compile(
    r"\b(?:as follows|the following|(?:listed|shown|given|set out|described|explained|summari[sz]ed|outlined|detailed)"
    r" (?:below|here|(?:in|by) the (?:following |next )?(?:tables?|lists?|figures?|sections?|pages?)(?: below)?))\.$",
    re.IGNORECASE,
)
_SEVERAL_WAYS = re.compile(
    r"\bthere are (?:also )?(?:a few|some|several|many|various|a number of|a couple of|multiple|different|other) "
    r"(?:[\w-]+ ){0,2}?(?:things|ways|steps|options|reasons|methods|solutions|tips|possibilities|causes)\b"
    r"[^.,:;!?]{0,80}[.;]$",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"(?:page|seite|p\.)\s*\d{1,4}(?:\s*(?:of|/|von|\|)\s*\d{1,4})?"
    r"|\d{1,4}\s*(?:/|of|von)\s*\d{1,4}"
    r"|[-–—|]\s*\d{1,4}\s*[-–—|]"
    r"|\d{1,4}\s*\|\s*\D{1,80}|\D{1,80}\|\s*(?:page\s*)?\d{1,4}"
    r"|(?:©|\(c\)\s|copyright\b).{0,160}|.{0,120}\ball rights reserved\.?"
    r"|(?:strictly |company |private and )*confidential(?: and proprietary)?\.?"
    r"|(?:table of )?contents|back to (?:top|contents)|skip to (?:main )?content|table of contents\s.{0,60}"
    r"|(?:edit|view|improve) this page(?: on \w+)?\.?|was this (?:page|article) helpful.{0,20}"
    r"|(?:previous|next)(?: page| chapter| topic)?(?:\s*[|«»‹›]\s*\w+)*"
    r"|(?:https?://|www\.)\S+",
    re.IGNORECASE | re.DOTALL,
)
# Dots that lead to the number of a page, as in tables of contents, or to a blank of a form; those that lead to words or
# an amount stand for a colon ("7 days after due date..........First notice").
_LEADERS = re.compile(
    r"(?<!\.)(?<!\.\s)(?:\.\s?){4,}\s*[\divxlc]{1,5}$|\.{10,}+(?!\s?(?!Page\b)[A-Z$€£][^.]{2,80}(?:\.\d\d)?$)"
)
# "5.3.1 Emergency kits": a numbered line that says nothing of its subject.
_NUMBERED_TITLE = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,4}\.?\s+(?P<title>[A-Z][^.!?:;,|\d]{2,60})")
_VERBS = frozenset(
    "is are was were be been am has have had do does did can may must shall will should could would might need needs "
    "not never no cost costs apply applies take takes pay use wear keep bring call contact report send ask see".split()
)
_MAX_NUMBERED_WORDS = 5
_STUB = re.compile(
    r"\(?(?:see|see also|refer to|cf\.?|compare)\s.{1,90}"
    r"|(?:click|tap|press) here\b.{0,40}|(?:read|learn|find out|show|see) (?:more|less)\b.{0,40}"
    r"|\(?(?:continued|cont[.'’]d|continues)\b.{0,40}"
    r"|\(?(?:n/?a|none|tbd|tba|to be (?:announced|decided|determined)|not applicable|yes|no|ok|okay|nil|etc|sic"
    r"|this (?:page|section) (?:is )?(?:intentionally )?(?:left )?(?:blank|empty))\)?\.?",
    re.IGNORECASE | re.DOTALL,
)
# The header of a financial statement: "Three Months Ended | Six Months Ended", "June 30, 2021 | June 30, 2020".
_DATE = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?(?:\s+\d{1,2}\b)?|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_PERIOD = re.compile(
    r"\b(?:(?:three|six|nine|twelve|thirteen|twenty-six|thirty-nine|fifty-two)?\s*(?:months?|weeks?)"
    r"|(?:fiscal )?years?"
    r"|quarters?|first|second|third|fourth|q[1-4]|fy|ended|ending|as of|and|change"
    r"|un ?audited|\(?in (?:thousands|millions"
    r"|billions)[^|]*)(?![\w-])|[$%]",
    re.IGNORECASE,
)
_ENDS_PERIOD = re.compile(r"\b(?:ended|ending|as of)\b", re.IGNORECASE)
# They point to what they do not say, and a program's line that opens what follows.
_POINTER = re.compile(
    r"(?:for )?(?:more|further|additional) (?:information|details)\b[^\d@]{0,90}"
    r"|(?:an?|more|some|other|further) (?:\w+ ){0,2}examples?\b[^.]{0,60}\bcan be (?:seen|found)\b[^@]{0,200}",
    re.IGNORECASE,
)
_LINK = re.compile(r"\[([^\[\]\n]{1,200})\](?:\([^()\s]{0,300}\)?)?")
_OPENS = ("{", "(", "[", " =")
_MAX_STUB_WORDS = 14
_MAX_FORM = 400
_MAX_END = 120
_NUMBERING = re.compile(
    r"(?:(?:part|item|chapter|section|note|annex|appendix|article)\s+[\da-zivx]{1,4}(?:\.\d{1,3}){0,9}[.):]?"
    r"|\d{1,3}(?:\.\d{1,3}){0,9}[.):]?|\(?[a-zivx]{1,4}[.)])\s+",
    re.IGNORECASE,
)
# The number of a clause, or years over columns of figures.
_ONLY_NUMBERS = re.compile(r"[*_\s(]*\d{1,3}(?:\.\d{1,3}){0,5}[.)*_\s]*|(?:(?:FY ?)?(?:19|20)\d\d\s*){2,10}")
_END_MARK = tuple(".!?…:;,。！？।۔")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SMALL = frozenset("a an and as at by for from in into of on or our per the their this to vs with your".split())
_MAX_TITLE_WORDS = 12
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def role_of(text: str, kind: str, *, alone: bool = False) -> Role:
    """The role of a unit of ``kind`` (``sentence``, ``heading``, ``item``, ``row`` or ``code``). ``alone``: it is the
    only line of its paragraph, and may be a heading that nothing marks as one."""
    if kind == "heading":
        return "heading"
    if kind == "code":
        return "statement"
    if kind == "row":
        return _role_of_row(text)
    body = text.rstrip(_CLOSING)
    if body.endswith(_ASKS):
        return "question"
    words = body.split()
    end = body[-_MAX_END:]
    if _LEADS_IN.search(end) or (
        (_POINTS_ON.search(end) or _SEVERAL_WAYS.search(body[-2 * _MAX_END :])) and not any(map(str.isdigit, body))
    ):
        return "lead_in"
    if len(body) > _MAX_FORM:
        # Longer text is no such statement, and searching for forms takes bounded time.
        return "statement"
    if _FOOTER.fullmatch(body):
        return "footer"
    if _LEADERS.search(body) or body.endswith(_OPENS):
        return "stub"
    if len(words) <= _MAX_STUB_WORDS and (_STUB.fullmatch(body) or _POINTER.fullmatch(_LINK.sub(r"\1", body))):
        return "stub"
    if _is_numbered_title(body):
        return "heading"
    if kind == "item":
        return "statement" if _NOT_ALPHANUMERIC.sub("", body) else "stub"
    if alone and _is_title(body):
        return "heading"
    return "statement" if _says_something(body) else "stub"


def key(text: str) -> str:
    """The common form of two texts with the same words: their letters and digits, without case."""
    return _NOT_ALPHANUMERIC.sub("", text).casefold()


def repeats(text: str, question: str) -> bool:
    """Whether ``text`` is no more than the question again, marked as one or not."""
    asked = key(question)
    return bool(asked) and asked in (key(text), key(_NUMBERING.sub("", text, count=1)), key(text.removeprefix("Q")))


def _role_of_row(text: str) -> Role:
    cells = [cell.strip() for cell in text.split(" | ")]
    pairs = [cell.partition(": ") for cell in cells]
    names = all(not value or value.strip(" :") == name.strip(" :") for name, _, value in pairs)
    if _LEADERS.search(text[:_MAX_FORM]):
        return "stub"
    said = _PERIOD.sub("", _DATE.sub("", text)).strip(" |:,;()*&–-")
    if not said and (names or _ENDS_PERIOD.search(text)):
        # Lines of a header say whose figures follow.
        return "heading"
    if len(cells) > 1:
        return "statement"
    _, named, value = cells[0].partition(": ")
    says = bool(named and value.strip()) or any(map(str.isdigit, cells[0]))
    return "statement" if says or len(cells[0].split()) > _MAX_TITLE_WORDS else "stub"


def _is_numbered_title(body: str) -> bool:
    found = _NUMBERED_TITLE.fullmatch(body)
    if found is None:
        return False
    words = found["title"].lower().split()
    return len(words) <= _MAX_NUMBERED_WORDS and _VERBS.isdisjoint(words)


def _says_something(body: str) -> bool:
    """Whether a sentence has three words, or two and a number; scripts without spaces have one word a sentence."""
    if _ONLY_NUMBERS.fullmatch(body):
        return False
    words = body.split()
    if len(words) >= 3 or any(map(str.isdigit, body)):
        return bool(_NOT_ALPHANUMERIC.sub("", body)) and not body.isdigit()
    return not body.isascii() and len(body) >= 6


def _is_title(body: str) -> bool:
    """Whether a line by itself looks like a heading: short, no mark at its end, no value, capitals where titles have
    them."""
    if body.endswith(_END_MARK) or ": " in body:
        return False
    title = _NUMBERING.sub("", body, count=1)
    words = _WORD.findall(title)
    if not words or len(body.split()) > _MAX_TITLE_WORDS or any(map(str.isdigit, title)) or not title[0].isupper():
        return False
    large = [word for word in words if word.casefold() not in _SMALL]
    return len(large) > 1 and sum(word[0].isupper() for word in large) >= 0.75 * len(large)
