"""Replaces he, she, his, her and theirs by "they": rules for English, including the neighbouring verb.

It cannot know some cases, which stay wrong: distant verbs ("he, like his father, runs"), whether "her" is "them" or
"their" if the next word leaves it open, and whom the pronoun means.
"""

from __future__ import annotations

import re

WIDEST = 80
"""Characters that are read from a pronoun (or the verb before it) on."""

_HE = r"he/she|she/he|s/he|he or she|she or he|he|she"
_ADVERBS = (
    "also always never often usually still just only really now then probably actually already both first later soon "
    "once even simply clearly quickly finally sometimes generally typically rarely seldom merely therefore thus "
    "immediately eventually apparently certainly"
)
_ADVERB = "|".join(_ADVERBS.split())
_WORD = r"[^\W\d_]"
_END = r"(?![\w@/-])"
_START = r"(?<![\w@/.#-])"
_APOSTROPHE = "['’]"
FORMS = re.compile(
    rf"{_START}(?:"
    rf"(?P<asked>is|was|does|has|isn{_APOSTROPHE}t|wasn{_APOSTROPHE}t|doesn{_APOSTROPHE}t|hasn{_APOSTROPHE}t)"
    rf"(?P<gap>[ \n])(?P<whom>{_HE}){_END}(?!{_APOSTROPHE})"
    rf"|(?P<he>{_HE})(?:(?P<short>{_APOSTROPHE}s){_END}(?=(?:[ \n](?P<after>{_WORD}{{1,20}}))?)"
    rf"|(?P<modal>{_APOSTROPHE}(?:ll|d)){_END}"
    rf"|(?P<between>[ \n](?:(?:{_ADVERB})[ \n])?)(?P<verb>{_WORD}{{1,20}}n{_APOSTROPHE}t|{_WORD}{{1,20}}){_END}"
    rf"(?:(?P<and>[ \n](?:and|or|but)[ \n])(?P<second>{_WORD}{{1,20}}s){_END})?"
    rf"|{_END})"
    rf"|(?P<self>himself|herself|him/herself|himself or herself){_END}"
    rf"|(?P<him>him/her|him or her|him){_END}"
    rf"|(?P<hers>his/hers|hers){_END}"
    rf"|(?P<his>his/her|his or her|his|her){_END}(?=(?P<next>[ \n]\$?\w{{1,20}})?)"
    r")",
    re.IGNORECASE,
)
_VERBS = {
    "is": "are",
    "was": "were",
    "has": "have",
    "does": "do",
    "isn't": "aren't",
    "wasn't": "weren't",
    "hasn't": "haven't",
    "doesn't": "don't",
    "goes": "go",
    "undergoes": "undergo",
    "dies": "die",
    "lies": "lie",
    "ties": "tie",
    "focuses": "focus",
}
# Words behind a pronoun that end in s and are no verbs in the third person.
_NO_VERBS = frozenset(
    "as us thus this perhaps besides sometimes always nevertheless nonetheless less unless across towards plus minus "
    "its his hers ours yes whereas afterwards afterward upwards downwards indoors outdoors upstairs downstairs".split()
)
_PARTICIPLES = frozenset(
    "been got gotten had gone done become seen made taken given known written come lost won found left never always "
    "already just told said brought bought thought kept met paid read run sent spent begun grown shown chosen".split()
)
# Behind "her" or "his" these begin something new: the pronoun stands alone.
_NOT_OWNED = frozenset(
    "and or but nor to in on at of for from with by about into onto over under after before behind between through "
    "during until since because if when while where who whom which that than as so then now again away back off out "
    "up down not the a an this these those some any every each all both is are was were be been has have had do does "
    "did will would can could shall should may might must he she it they we you i what how why there here too also "
    "tomorrow yesterday today tonight once twice".split()
)


def replaced(match: re.Match[str]) -> str:
    """The replacement for a match of ``FORMS``; the same text if none is needed."""
    if match["self"]:
        return _like(match["self"], "themselves")
    if match["him"]:
        return _like(match["him"], "them")
    if match["hers"]:
        return _like(match["hers"], "theirs")
    if match["his"]:
        return _owned(match["his"], match["next"] or "")
    if match["asked"]:
        return f"{_like(match['asked'], _plural(match['asked']))}{match['gap']}{_like(match['whom'], 'they')}"
    return _subject(match)


def _subject(match: re.Match[str]) -> str:
    they = _like(match["he"], "they")
    if match["short"]:
        after = (match["after"] or "").lower()
        perfect = after in _PARTICIPLES or (after.endswith("ed") and after not in ("need", "red"))
        return f"{they}{'’' if '’' in match['short'] else chr(39)}{'ve' if perfect else 're'}"
    if match["modal"]:
        return they + match["modal"]
    if not match["verb"]:
        return they
    between, verb = match["between"], match["verb"]
    if verb.istitle() and match["he"].islower():
        # A name, which is no verb.
        return f"{they}{between}{verb}{_second(match, changed=False)}"
    plural = _plural(verb)
    return f"{they}{between}{plural}{_second(match, changed=plural != verb)}"


def _second(match: re.Match[str], *, changed: bool) -> str:
    if not match["and"]:
        return ""
    return match["and"] + (_plural(match["second"]) if changed else match["second"])


def _plural(verb: str) -> str:
    """The verb as it goes with "they"."""
    lower = verb.lower().replace("’", "'")
    if lower in _VERBS:
        plural = _VERBS[lower]
    elif lower in _NO_VERBS or not lower.endswith("s") or lower.endswith("ss") or len(lower) < 4:
        return verb
    elif lower.endswith("ies"):
        plural = f"{lower[:-3]}y"
    elif lower.endswith(("sses", "shes", "ches", "xes", "zzes", "oes")):
        plural = lower[:-2]
    else:
        plural = lower[:-1]
    if "’" in verb:
        plural = plural.replace("'", "’")
    return _like(verb, plural)


def _owned(pronoun: str, following: str) -> str:
    word = following.strip().lower()
    alone = not word or word in _NOT_OWNED
    if "his" in pronoun.lower():
        return _like(pronoun, "theirs" if alone else "their")
    # "gave her 5 of them", but "Her 5 apples are".
    alone = alone or (not pronoun[0].isupper() and word[:1] in "$0123456789")
    return _like(pronoun, "them" if alone else "their")


def _like(shape: str, text: str) -> str:
    """``text`` with the capitalisation of ``shape``."""
    if shape.isupper() and len(shape) > 1:
        return text.upper()
    return text[0].upper() + text[1:] if shape[:1].isupper() else text
