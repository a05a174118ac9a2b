"""What a person says to the assistant's memory: remember, forget, what do you know, you may, you may not."""

# ruff: noqa: E501  (an expression that is cut in two reads worse)
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Wish = Literal["keep", "forget", "forget_all", "known", "grant", "refuse"]


@dataclass(frozen=True, slots=True)
class MemoryWish:
    """What is wished, and about what: in the person's words."""

    wish: Wish
    about: str = ""


_PLEASE = r"^[\s¿¡]*(?:(?:please|bitte|por favor|s'il (?:te|vous) pla[iî]t|can you|could you|ok(?:ay)?)\b[\s,]*)*"
_END = r"[\s.!?]*$"
_WISHES: tuple[tuple[Wish, str], ...] = (
    (
        "grant",
        r"(?:yes[\s,]*)?(?:you (?:may|can|are allowed to) remember (?:things|facts|what i (?:say|tell you)|everything)?\s*(?:about )?"
        r"(?:me)?|i (?:agree|consent) that you remember (?:things about )?me)|"
        r"(?:ja[\s,]*)?du darfst dir (?:dinge|etwas|sachen|alles) (?:über|ueber) mich merken|"
        r"(?:oui[\s,]*)?tu peux te souvenir (?:de (?:moi|ce que je dis)|de choses sur moi)|"
        r"(?:s[ií][\s,]*)?puedes recordar (?:cosas|todo) (?:sobre|de) m[ií]",
    ),
    (
        "refuse",
        r"(?:do not|don['’]t|stop|no longer) remember(?:ing)? (?:anything|things|facts)(?: about me)?|"
        r"you may not remember (?:things|anything) about me|"
        r"merk dir nichts (?:mehr )?(?:über|ueber) mich|ne retiens (?:plus )?rien (?:de|sur) moi|no recuerdes (?:nada|cosas) (?:de|sobre) m[ií]",
    ),
    (
        "forget_all",
        r"forget (?:everything|all)(?: (?:that )?(?:you )?(?:know|remember|i(?:['’]ve| have)? (?:told|said)(?: to)?(?: you)?))?"
        r"(?: (?:about|of) me)?|forget me|delete (?:everything|all)(?: that you know)? about me|"
        r"vergiss alles(?:,? was du (?:über|ueber) mich weißt| (?:über|ueber) mich)?|"
        r"oublie tout(?: ce que tu sais)?(?: (?:sur|de) moi)?|olvida todo(?: lo que sabes)?(?: (?:sobre|de) m[ií])?",
    ),
    (
        "known",
        r"what (?:do|did) you (?:know|remember) (?:about|of) me|what have you (?:remembered|learned|learnt|stored) about me|"
        r"show (?:me )?(?:your|my) memor(?:y|ies)|was weißt du (?:alles )?(?:über|ueber) mich|was hast du dir (?:über|ueber) mich gemerkt|"
        r"que sais[- ]tu (?:de|sur) moi|qu['’]as[- ]tu retenu (?:de|sur) moi|qu[ée] (?:sabes|recuerdas) (?:de|sobre) m[ií]",
    ),
    (
        "keep",
        r"(?:remember|keep in mind|note)(?: that|,|:) (?P<keep1>\S.{2,})|don['’]t forget that (?P<keep2>\S.{2,})|"
        r"remember (?P<keep6>(?:my|i|i['’]m|our|we)\b.{2,})|"
        r"merk dir(?:,? dass|:) (?P<keep3>\S.{2,})|(?:souviens[- ]toi|retiens) (?:que |qu['’])(?P<keep4>\S.{2,})|"
        r"recuerda que (?P<keep5>\S.{2,})",
    ),
    (
        "forget",
        r"(?:forget|delete|do not remember|don['’]t remember)(?: that| about|,|:) (?P<forget1>\S.{2,})|"
        r"forget (?P<forget5>(?:my|i|i['’]m|our|we)\b.{2,})|"
        r"vergiss(?:,? dass|:) (?P<forget2>\S.{2,})|oublie (?:que |qu['’])(?P<forget3>\S.{2,})|olvida que (?P<forget4>\S.{2,})",
    ),
)
_COMPILED = tuple((wish, re.compile(f"{_PLEASE}(?:{pattern}){_END}", re.IGNORECASE)) for wish, pattern in _WISHES)
_MAX_CHARACTERS = 600


def wished(text: str) -> MemoryWish | None:
    """What ``text``, as a whole, wishes of the memory; None: nothing."""
    if len(text) > _MAX_CHARACTERS or "\n" in text.strip():
        return None
    for wish, pattern in _COMPILED:
        if (found := pattern.match(text)) is not None:
            about = next((each for each in found.groups() if each), "")
            return MemoryWish(wish, about.strip().rstrip(".!?").strip())
    return None
