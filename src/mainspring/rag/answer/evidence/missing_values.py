"""Values that a question asks for and that no passage gives for what it is asked of.

"How much does Larkfield pay for a gym?" finds sentences about pay, "How heavy is the press?" sentences about the press.
They are beside the point unless one gives a value of the kind asked for (money, a count, a weight, a telephone number)
and speaks of the thing in question: its words, or words close to them in meaning, stand in that sentence, before it or
above it. A name that few of the passages have must stand in the same passage as the value. Questions about the asker's
own affairs are worded too differently from documents for this, and are exempt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.rag.answer.evidence import exact_names, missing_topics
from mainspring.rag.answer.evidence.exact_names import ExactName
from mainspring.rag.answer.verbatim import question_kind, rows
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import definitions, sentences, terms

_SPELT = (
    "half|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy"
    "|eighty|ninety|hundred|thousand|million"
)
# No number has more parts; without a bound "1,1,1,..." would be read to its end from each of them.
_DIGITS = rf"(?:(?<![\w.])\d+(?:[.,]\d+){{0,9}}[\s-]?|\b(?:{_SPELT})(?: an?)?[\s-])"
_CURRENCIES = (
    r"[£$€¥₹₽₩₺₫฿₴₪]|\b(?:usd|eur|gbp|chf|aud|cad|nzd|sek|nok|dkk|pln|inr|jpy|cny|kr|rs|zł)\b"
    rf"|(?:\d|\b(?:{_SPELT})) (?:pounds?|dollars?|euros?|cents?|pence|francs?|rupees?|yen|yuan|kron(?:or|er|a|e))\b"
    # "Feel free to ask" and "free software" name no price.
    r"|(?<!feel )\bfree\b(?!\s+(?:to|from|software|speech|agents?|text|form|space|trial|will)\b)|\bno (?:charge|cost)\b"
)
_MASS = re.compile(
    rf"{_DIGITS}(?:kg|g|mg|kilos?|kilograms?|grams?|lbs?|pounds?|oz|ounces?|t|tons?|tonnes?|stone)\b", re.IGNORECASE
)
_LENGTH = re.compile(
    rf"{_DIGITS}(?:mm|cm|km|m|metres?|meters?|kilomet(?:re|er)s?|millimet(?:re|er)s?|centimet(?:re|er)s?"
    r"|inch(?:es)?|in|feet|foot|ft|yards?|miles?|[\"”″'′])(?!\w)"
    r"|\b(?:half|one|two|three|four|five|six|ten) (?:a )?(?:miles?|feet"
    r"|inches|met(?:re|er)s)\b",
    re.IGNORECASE,
)
_SOUND = re.compile(rf"{_DIGITS}(?:db|decibels?)\b", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.,-])(?:\+|\(?\d)(?:[\s().\-–/]{0,2}\d){6,}|\b(?:ext(?:ension)?|extn)\.?:? ?\d{2,}", re.IGNORECASE
)
# They begin where a word does: from each of its letters a long one would take the square of its length.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+(?:@[\w-]+(?:\.[\w-]+)+| ?[\[(]at[\])] ?[\w-]+)")
_WEB = re.compile(
    r"https?://|\bwww\.|(?<![\w-])[\w-]+\.(?:com|org|net|io|dev|edu|gov|co|uk|eu|de|fr|info)\b", re.IGNORECASE
)

# What the question asks for, what gives it, and words in whose row of a table any number gives it.
_CONTACTS = (
    (re.compile(r"\b(?:tele)?phone number\b|\bfax number\b|\bmobile number\b", re.IGNORECASE), _PHONE),
    (re.compile(r"\be-?mail address\b", re.IGNORECASE), _EMAIL),
    (re.compile(r"\bweb ?site address\b|\bweb address\b|\burl\b", re.IGNORECASE), _WEB),
)
# A cell of a table that is a number by itself; the header may say of what.
_CELL = re.compile(r"(?:^[^\S\n]*|[|:]\s*)\d[\d,]*(?:\.\d+)?\s*(?:\||$)", re.MULTILINE)
_DIMENSIONS = (
    (
        re.compile(r"\bhow heavy\b|\bweighs?\b|\bweight\b", re.IGNORECASE),
        _MASS,
        re.compile(r"\b(?:weight|mass|kg)\b", re.IGNORECASE),
    ),
    (
        re.compile(r"\bhow (?:tall|deep|wide|thick)\b", re.IGNORECASE),
        _LENGTH,
        re.compile(r"\b(?:height|depth|width|thickness|dimensions?|size|mm|cm)\b", re.IGNORECASE),
    ),
    (
        re.compile(
            r"\bhow (?:hot|cold|warm)\b|\b(?:what|which) temperature\b|\btemperature of\b"
            r"|\b(?:boiling|melting|freezing|flash) (?:point|temperature)\b",
            re.IGNORECASE,
        ),
        re.compile(rf"(?:{_DIGITS}|\d)(?:[°º˚⁰]|degrees?\b|℃|℉|[CFK]\b|kelvin|celsius|fahrenheit)"),
        re.compile(r"[°º˚⁰]|\b(?:temperature|degrees?|celsius|fahrenheit)\b", re.IGNORECASE),
    ),
    (
        re.compile(r"\bhow loud\b|\bdecibels?\b", re.IGNORECASE),
        _SOUND,
        re.compile(r"\b(?:noise|sound|loudness|db)\b", re.IGNORECASE),
    ),
    (
        re.compile(
            r"\b(?:when|what time) (?:is|are|do|does|will) .{1,80}\b(?:open|close|closed|shut)\b"
            r"|\b(?:opening|closing) (?:hours|times?)\b",
            re.IGNORECASE,
        ),
        re.compile(
            r"\d ?[ap]\.?m\b|\b\d{1,2}[:.]\d\d\b|\b\d{1,2}(?:\s?[-–]\s?| to )\d{1,2}\b|\b24 hours\b|\d ?o['’]clock"
            r"|\b(?:noon|midnight|daily|every day|closed)\b|\b(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?s?\b",
            re.IGNORECASE,
        ),
        re.compile(r"\d"),
    ),
    (
        re.compile(
            r"\b(?:salary|salaries|wages?)\b|\bwhat (?:\w+ ){0,3}(?:price|fee|deposit|rent|fine)\b"
            r"|\bwhat do(?:es)? .{1,80} cost\b|\bin (?:dollars|pounds|euros)\b",
            re.IGNORECASE,
        ),
        re.compile(
            _CURRENCIES,
            re.IGNORECASE,
        ),
        _CELL,
    ),
    (
        re.compile(
            r"\bhow much (?:\w+ ){0,3}?(?:does|do|did|may|can|must|will|is|are)\b.{1,80}\b(?:pays?|paid|costs?"
            r"|charges?|charged|spend|tickets?|fares?|fines?|rent|admission|subscription|membership|entrance|bonus|budget)\b"
            r"|\bwhat do(?:es)? .{1,80} (?:charge|pay)\b",
            re.IGNORECASE,
        ),
        re.compile(
            rf"{_CURRENCIES}|%|\b(?:percent|per cent)\b",
            re.IGNORECASE,
        ),
        _CELL,
    ),
    (
        re.compile(
            r"\bwho (?:is|was|are|were) (?:the|your|our) (?=\w+(?: \w+){0,3} (?:of|at|for|in)\b)", re.IGNORECASE
        ),
        re.compile(r"(?<=[\w,;:)’'\-–|*] )[`*_\"“]*[A-Z][\w’'&-]+|\|"),
        re.compile(r"\w"),
    ),
)
_ASKS_VALUE = re.compile(
    r"\bhow (?:much|many)\b|\b(?:salary|salaries|wage|wages)\b"
    r"|\bwhat (?:\w+ ){0,3}(?:price|fee|deposit|rent|bonus|fine)\b"
    r"|\bwhat do(?:es)? .{1,80} (?:cost|weigh|charge|pay)\b",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"\bhow many (?P<what>[a-z-]+)", re.IGNORECASE)
# Words that say how a value is asked for.
_ASKING = terms.content(
    "pay pays paid cost costs money charge charges price amount number value total give gives get gets receive "
    "dollars dollar pounds pound euros euro percent percentage share year years month months day days week weeks hour "
    "hours minute minutes people person usually maximum minimum most least come go towards heavy tall deep wide thick "
    "hot cold warm temperature point time "
    "loud decibels weigh weighs weight kilogram kilograms centimetres metres until hours night ask asks need needs "
    "folk folks persons individuals take takes last lasts"
)
# Set on development questions: of 557 that documents answer 1 is below it.
_BOUND = 0.5
# Cosines of words up to the first say nothing, those from the sum on as much as the word itself.
_UNLIKE, _ALIKE = 0.35, 0.35
_UNITS, _WORDS = 16, 200
# More words of a question are a text that was pasted: they would leave no room for those of the passages.
_MOST_FOCUS = 100
# What a word counts that stands in the passage and neither in the unit nor around it.
_IN_PASSAGE = 0.6
# A name in less than this share of the candidates belongs to a few of their passages.
_RARE_NAME = 0.2


@dataclass(frozen=True, slots=True)
class _Valued:
    """A unit that gives a value, with the words around it, its passage, and how many of the question's words it has."""

    text: str
    context: str
    passage: str
    row: bool
    shared: int


async def ungiven(
    question: str, candidates: Sequence[Hit], shown: Sequence[Hit], embedder: Embedder
) -> tuple[ExactName, ...]:
    """What ``question`` asks a value of, if no unit of ``shown`` gives one.

    ``candidates`` are all hits of the search.
    """
    last = question.rpartition("\n")[2]
    if not shown:
        return ()
    for asks, gives in _CONTACTS:
        match = asks.search(last)
        if match and not any(gives.search(hit.text) for hit in _of_names(exact_names.named(last), candidates, shown)):
            return (ExactName(match.group(), "name"),)
    if not missing_topics.impersonal(last):
        return ()
    dimension = next(((gives, row) for asks, gives, row in _DIMENSIONS if asks.search(last)), None)
    if dimension is None and not _ASKS_VALUE.search(last):
        return ()
    named = exact_names.named(last)
    own = terms.content(" ".join(each.text for each in named))
    focus = {
        word: last[start:end]
        for word, start, end in terms.located(last)
        if word not in own | _ASKING and not word[0].isdigit()
    }
    focus = dict(islice(focus.items(), _MOST_FOCUS))
    names = definitions.named(focus.keys(), (hit.text for hit in candidates))
    units = _valued(last, _of_names(named, candidates, shown), focus, dimension, names)
    if any(each.kind == "name" for each in named):
        # A row for "anywhere else" is for every place that its table does not name.
        units += [each for each in _valued(last, shown, focus, dimension, names) if rows.has_others(each.text)]
    if dimension is not None and not units:
        return _told(focus, last)
    if not focus or not units:
        return ()
    rarity = terms.rarity(focus.keys(), [terms.among(focus.keys(), f"{hit.heading} {hit.text}") for hit in candidates])
    weights = {word: (weight + 1 / len(rarity)) / 2 for word, weight in rarity.items()}
    counted = _COUNTED.search(last)
    head = terms.stem(counted["what"].lower()) if counted else ""
    # What is counted must stand with the number, whatever else does.
    if head in focus and await _binding({head: focus[head]}, {head: 1.0}, units, embedder) < _BOUND:
        return _told(focus, last)
    best = await _binding(focus, weights, units, embedder)
    if best < _BOUND and named:
        best = max(_share(focus, named, unit) for unit in units)
    return _told(focus, last) if best < _BOUND else ()


def _share(focus: Mapping[str, str], named: Sequence[ExactName], unit: _Valued) -> float:
    """The share of words and names of the question that ``unit`` itself has: "Country: Morocco | Signed: 21" is about
    Morocco, whatever its table is called."""
    has = sum(exact_names.has(unit.text, each) for each in named) + len(terms.among(focus.keys(), unit.context))
    return has / (len(named) + len(focus))


def _told(focus: Mapping[str, str], question: str) -> tuple[ExactName, ...]:
    """The words that the value is asked of, as written, those next to each other together."""
    found: list[str] = []
    end = -2
    for word, start, stop in terms.located(question):
        if word not in focus:
            continue
        if found and question[end:start].strip() == "":
            found[-1] += question[end:stop]
        else:
            found.append(question[start:stop])
        end = stop
    return tuple(ExactName(each, "name") for each in dict.fromkeys(found))


def _of_names(named: Sequence[ExactName], candidates: Sequence[Hit], shown: Sequence[Hit]) -> list[Hit]:
    """Those of ``shown`` that are about what is ``named``: of documents that have the names which any has, and the
    passages themselves if few of ``candidates`` have a name."""
    found = list(shown)
    places = {(hit.document_id, hit.start): f"{hit.source}\n{hit.heading}\n{hit.text}" for hit in (*candidates, *shown)}
    for each in named:
        if each.kind == "year":
            continue
        having = {place for place, text in places.items() if exact_names.has(text, each)}
        documents = {document for document, _ in having}
        few = each.kind == "name" and 0 < len(having) < _RARE_NAME * len(places)
        own = [hit for hit in found if hit.document_id in documents]
        near = [hit for hit in own if (hit.document_id, hit.start) in having]
        found = near if few else own or found
    return found


def _valued(
    question: str,
    hits: Sequence[Hit],
    focus: Mapping[str, str],
    dimension: tuple[re.Pattern[str], re.Pattern[str]] | None,
    names: Mapping[str, frozenset[str]],
) -> list[_Valued]:
    """The units of ``hits`` that give a value of the kind that ``question`` asks for, closest to it first. ``names``
    are those that documents define by words of ``focus``."""
    found: list[_Valued] = []
    for hit in hits:
        before, lead = "", ""
        path = hit.heading
        for unit in sentences.split(hit.text):
            body = hit.text[unit.start : unit.end]
            if unit.kind == "heading":
                path, before = f"{path} {body}", ""
                continue
            lead = body if unit.role == "lead_in" else lead if unit.kind in ("item", "row") else ""
            # "$50 fine" above a list is the value of each of its items.
            title = path.rpartition(" > ")[2] if unit.kind == "item" else ""
            gives = any(_gives(each, unit.kind == "row", question, dimension) for each in (body, title) if each)
            if gives:
                meant = " ".join(focus[word] for word in sorted(definitions.meant(body, names)))
                context = f"{hit.source} {path} {lead} {before} {body} {meant}"
                shared = len(terms.content(context) & focus.keys())
                found.append(_Valued(body, context, hit.text, unit.kind == "row", shared))
            before = body
    return sorted(found, key=lambda each: -each.shared)[:_UNITS]


def _gives(body: str, row: bool, question: str, dimension: tuple[re.Pattern[str], re.Pattern[str]] | None) -> bool:
    """Whether a unit (``row``: of a table) gives a value of the kind that ``question`` asks for."""
    numbered = row and any(map(str.isdigit, body))
    if dimension is None:
        return numbered or bool(question_kind.answering(body, question))
    value, named = dimension
    return value.search(body) is not None or (numbered and named.search(body) is not None)


async def _binding(
    focus: Mapping[str, str], weights: Mapping[str, float], units: Sequence[_Valued], embedder: Embedder
) -> float:
    """The largest share of ``focus`` (by ``weights``) in one of ``units``; a word that is close in meaning counts in
    part."""
    stems = [terms.content(unit.context) for unit in units]
    total = sum(weights[word] for word in focus) or 1.0
    best = max(sum(weights[word] for word in focus if word in own) for own in stems) / total
    if best >= _BOUND:
        return best
    said = [
        {word for word in terms.plain(re.sub(r"[_/]", " ", unit.context)) if len(word) > 2 and not terms.stops(word)}
        for unit in units
    ]
    asked = [written.lower() for written in focus.values()]
    words = list(dict.fromkeys([*asked, *(word for each in said for word in sorted(each))]))[:_WORDS]
    place = {word: number for number, word in enumerate(words)}
    vectors = np.asarray((await embedder.embed(words)).vectors)
    cosines = vectors[: len(dict.fromkeys(asked))] @ vectors.T
    passages = [terms.among(focus.keys(), unit.passage) if unit.row else frozenset[str]() for unit in units]
    for own, each, around in zip(stems, said, passages, strict=True):
        columns = [place[word] for word in each if word in place]
        share = 0.0
        for word, written in focus.items():
            close = float(cosines[place[written.lower()], columns].max()) if columns else 0.0
            share += weights[word] * max(
                1.0 if word in own else 0.0,
                _IN_PASSAGE if word in around else 0.0,
                min(1.0, max(0.0, (close - _UNLIKE) / _ALIKE)),
            )
        best = max(best, share / total)
    return best
