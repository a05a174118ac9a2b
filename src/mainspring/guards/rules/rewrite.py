"""Rules applied to a streamed answer: the result does not depend on how it is cut.

In prose, one position after another is checked; a rule sees a bounded number of characters from there, and that many
wait.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mainspring.guards.rules import pronouns
from mainspring.guards.rules.answer_length import Characters, Sentences
from mainspring.guards.rules.file import Rules, Term
from mainspring.guards.rules.prose_scan import Kind, Scan

KINDS = ("pronoun", "term", "nsfw", "pattern", "markdown", "length", "disclaimer")
# Characters before a place that may decide about it.
_CONTEXT = 4
_START, _END = r"(?<![\w@/#])(?<!\w[-.])", r"(?![\w@/])(?!-\w)"
_ARTICLE = r"(?:(?P<article>an?)(?P<gap>[ \n]))?"
_VOWELS = "aeiou"
_LINK = 300
_MARKDOWN = re.compile(
    rf"!?\[(?P<text>[^\[\]\n]{{1,{_LINK}}})\]\((?P<url>[^()\s]{{1,{_LINK}}})\)"
    r"|(?P<mark>\*\*|__|~~)"
    r"|(?P<star>(?<![\w*])\*(?=[\w\"'(])|(?<=[\w.,;:!?\"')])\*(?![\w*])|(?<![\w_])_(?=\w)|(?<=[\w.!?])_(?![\w_]))"
    r"|(?P<line>(?:(?<=\n)|\A) {0,3}#{1,6} )"
)
_LINK_BEGUN = re.compile(rf"!?(?:\[(?:[^\[\]\n]{{0,{_LINK}}}(?:\](?:\([^()\s]{{0,{_LINK}}})?)?)?)?\Z")


@dataclass(frozen=True, slots=True)
class _Rule:
    """Matches of ``expression`` have this ``kind`` and become ``say(match)``; the expression reads ``width``
    characters."""

    kind: str
    expression: re.Pattern[str]
    width: int
    say: Callable[[re.Match[str]], str]


class Rewriting:
    """``rules`` made ready, once for all answers."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        made = [
            _Rule("pattern", expression, width + 1, _constant(replace))
            for expression, width, replace in rules.expressions
        ]
        if rules.nsfw.terms:
            made.append(_nsfw(rules.nsfw.terms, rules.nsfw.action))
        if rules.terms:
            made.append(_terms(rules.terms))
        if rules.pronouns == "they":
            made.append(_Rule("pronoun", pronouns.FORMS, pronouns.WIDEST, pronouns.replaced))
        if rules.format.strip_markdown:
            made.append(_Rule("markdown", _MARKDOWN, 8, _unmarked))
        self.steps = tuple(made)
        self.width = max((rule.width for rule in made), default=0)

    def part(self) -> Rewriter:
        """The rewriter of one text."""
        return Rewriter(self)


class Rewriter:
    """Rewrites one text. ``counts`` is how many of each kind of ``KINDS`` were done."""

    def __init__(self, ready: Rewriting) -> None:
        rules = ready.rules
        self.counts: Counter[str] = Counter()
        self._ready = ready
        self._scan = Scan(code=rules.code, quotes=rules.quotes)
        self._plain = rules.format.strip_markdown
        self._disclaimer = rules.format.disclaimer
        self._text = ""
        self._at = 0
        self._sentences = Sentences(rules.format.max_sentences) if rules.format.max_sentences else None
        self._characters = Characters(rules.format.max_characters) if rules.format.max_characters else None
        self._said: list[str] = []

    @property
    def cut(self) -> bool:
        """Whether the text was too long: nothing more of it will be shown."""
        return any(each is not None and each.done for each in (self._sentences, self._characters))

    def push(self, text: str) -> str:
        """Take the next piece; return the text that can be shown now."""
        return self._all(self._scan.push(text))

    def verbatim(self, text: str) -> str:
        """Words that must not be changed, after all previous text; they have no length."""
        before = self._all(self._scan.flush()) + self._end_prose()
        self._said.append(text)
        return before + text

    def flush(self) -> str:
        """The text has ended: return the rest and the text to append."""
        rest = self._all(self._scan.flush()) + self._end_prose()
        tail = ""
        if self._sentences is not None:
            tail = self._sentences.flush()
        if self._characters is not None:
            tail = self._characters.push(tail) + self._characters.flush()
        self._said.append(tail)
        if self.cut:
            self.counts["length"] += 1
        return rest + tail + self._disclaimed()

    def _disclaimed(self) -> str:
        said = "".join(self._said)
        if not self._disclaimer or not said.strip() or self._disclaimer in said:
            return ""
        self.counts["disclaimer"] += 1
        return f"\n\n{self._disclaimer}"

    def _all(self, found: list[tuple[Kind, str]]) -> str:
        shown = []
        for kind, text in found:
            if kind == "prose":
                self._text += text
                shown.append(self._show(self._rewritten(final=False)))
                continue
            shown.append(self._end_prose())
            if kind == "mark" and self._plain:
                self.counts["markdown"] += 1
                continue
            shown.append(self._show(text, prose=kind == "quote"))
        return "".join(shown)

    def _end_prose(self) -> str:
        shown = self._show(self._rewritten(final=True))
        self._text, self._at = "", 0
        return shown

    def _show(self, text: str, *, prose: bool = True) -> str:
        if text and self._sentences is not None:
            text = self._sentences.push(text, prose=prose)
        if text and self._characters is not None:
            text = self._characters.push(text)
        if (text and self._disclaimer) or (text and not self._said):
            self._said.append(text)
        return text

    def _rewritten(self, *, final: bool) -> str:
        """The prose that is decided, with all that its rules change."""
        text, at = self._text, self._at
        limit = len(text) if final else len(text) - self._ready.width
        if not final and self._plain and (begun := _LINK_BEGUN.search(text, at)):
            limit = min(limit, begun.start())
        shown = []
        upcoming = [(rule, rule.expression.search(text, at)) for rule in self._ready.steps] if at < limit else []
        while at < limit:
            upcoming = [
                (rule, match if match is None or match.start() >= at else rule.expression.search(text, at))
                for rule, match in upcoming
            ]
            found = [(rule, match) for rule, match in upcoming if match is not None and match.start() < limit]
            if not found:
                shown.append(text[at:limit])
                at = limit
                break
            rule, match = min(found, key=lambda each: each[1].start())
            said = rule.say(match)
            if said != match[0]:
                self.counts[rule.kind] += 1
            shown += [text[at : match.start()], said]
            at = match.end()
        behind = max(0, at - _CONTEXT)
        self._text, self._at = text[behind:], at - behind
        return "".join(shown)


def _constant(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


def _expression(terms: list[str], *, whole: bool = True, lead: str = "") -> re.Pattern[str]:
    """Finds any of ``terms``, the longer ones first; a blank in one is any white space."""
    each = [r"[ \n]".join(map(re.escape, term.split())) for term in sorted(terms, key=len, reverse=True)]
    return re.compile(rf"{_START}{lead}(?P<term>{'|'.join(each)}){_END if whole else ''}", re.IGNORECASE)


def _terms(terms: tuple[Term, ...]) -> _Rule:
    says = {_key(find): term.replace for term in reversed(terms) for find in term.find}
    whole = [find for term in terms if term.whole for find in term.find]
    begun = [find for term in terms if not term.whole for find in term.find]
    parts = [_expression(whole, lead=_ARTICLE).pattern] if whole else []
    if begun:
        parts.append(_expression(begun, whole=False).pattern.replace("?P<term>", "?P<begun>"))

    def say(match: re.Match[str]) -> str:
        groups = match.groupdict()
        term = groups.get("term") or groups.get("begun") or ""
        text = _like(term, says[_key(term)])
        article, gap = groups.get("article") or "", groups.get("gap") or ""
        if article and text:
            right = "an" if text[0].lower() in _VOWELS else "a"
            article = article if article.lower() == right else _like(article, right)
        return f"{article}{gap}{text}"

    width = max(len(find) for term in terms for find in term.find) + 8
    return _Rule("term", re.compile("|".join(parts), re.IGNORECASE), width, say)


def _nsfw(terms: tuple[str, ...], action: str) -> _Rule:
    def say(match: re.Match[str]) -> str:
        return match[0][0] + "*" * (len(match[0]) - 1) if action == "mask" else ""

    return _Rule("nsfw", _expression(list(terms)), max(map(len, terms)) + 8, say)


def _key(term: str) -> str:
    return " ".join(term.casefold().split())


def _like(shape: str, text: str) -> str:
    """``text`` with the capitals of ``shape``."""
    if shape.isupper() and len(shape) > 1:
        return text.upper()
    return text[:1].upper() + text[1:] if shape[:1].isupper() else text


def _unmarked(match: re.Match[str]) -> str:
    if match["url"]:
        return match["text"] if match[0].startswith("!") else f"{match['text']} ({match['url']})"
    return ""
