"""Rules for prompt injection: overrides, role-play jailbreaks, prompt extraction, control tokens, hidden text.

The rules are high-precision patterns for overt attacks. They read the text after removing its disguise (compatibility
forms, zero-width and tag characters, look-alike letters) and also decode base64 and hexadecimal runs. Instructions that
merely ask for something else (most indirect injections) look like any other text and are not found: spotlighting, not
this module, is the measure against them. ``benchmarks/guards.py`` measures both rates; docs/operate/security.md has the
figures.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any

from mainspring.guards.detect.pii import Finding

RULES_VERSION = 2
"""Raise it whenever a rule changes: it is part of what an answer was guarded by."""

MAX_DECODED = 16
"""Encoded runs of one text that are decoded, each up to ``_RUN_LIMIT`` characters."""
_RUN_LIMIT = 8192

_GAP = r"[^.!?\n]{0,40}?"
_OWN = (
    r"(?:instructions?|prompts?|rules|guidelines|directions|directives|programming|training|restrictions|messages?|"
    r"commands|orders|context|text|policies|constraints|safeguards|inputs?)"
)
_BEFORE = (
    r"(?:previous|prior|preceding|above|earlier|before|foregoing|initial|original|existing|system|safety|"
    r"given|past)"
)
_PROMPT = (
    r"(?:system\W{0,3}(?:prompt|message|instructions?)|initial\W{1,3}(?:prompt|instructions?)|"
    r"(?:hidden|secret|original|starting|pre-?|your)\s{0,3}(?:prompt|instructions)|"
    r"(?:text|prompt|instructions?|everything|conversation)\s{1,3}(?:written\s)?(?:above|before this|so far))"
)

# The same in French, German, Spanish, Portuguese, Italian and Dutch: words for rules, for which rules are meant, and
# verbs for ignoring and revealing them.
_FOREIGN_OWN = (
    r"(?:instructions?|consignes?|règles|directives|anweisung(?:en)?|instruktionen|regeln|vorgaben|richtlinien|"
    r"instrucciones|reglas|indicaciones|directrices|instruções|regras|istruzioni|regole|instructies|regels|aanwijzingen)"
)
_FOREIGN_BEFORE = (
    r"(?:précédentes?|antérieures?|ci-dessus|initiales?|système|tes|vos|toutes|qui précèdent|reçues|"
    r"vorherigen?|bisherigen?|obigen?|früheren?|deine|ihre|alle|system|oben|"
    r"anteriores|previas|iniciales|tus|sus|todas|del sistema|prévias|suas|tuas|do sistema|"
    r"precedenti|iniziali|tue|tutte|di sistema|vorige|eerdere|bovenstaande|je|jouw)"
)
_FOREIGN_DROP = (
    r"(?:ignore[zr]?|ignorons|oublie[zr]?|ne (?:tiens|tenez) (?:pas|plus) compte|fais abstraction|"
    r"ignorier(?:e|en|t)?|vergiss|vergesst|vergessen|missachte[nt]?|umgeh(?:e|en|t)?|"
    r"ignor[ae]|ignoren|ignorar|olvid[ae]|olvida(?:te|r)|esque(?:ce|ça|cer)|desconsider[ae]|"
    r"ignorate|ignorare|dimentica(?:te|re)?|negeer|vergeet)"
)
_FOREIGN_SHOW = (
    r"(?:affiche[zr]?|montre[zr]?|révèle[zr]?|révélez|répète[zr]?|répétez|donne[zr]?|écri[st]|imprime[zr]?|"
    r"zeig(?:e|en|t)?|gib|wiederhole?|verrat(?:e|en)?|nenne?|muestra|muéstrame|revela|repite|imprime|dime|"
    r"mostra(?:mi)?|mostre|rivela|revele|ripeti|repita|toon|herhaal|geef)"
)
_FOREIGN_PROMPT = (
    r"(?:(?:prompt|invite|message)\s(?:du\s)?(?:système|initiale?)|(?:instructions?|consignes?)\s(?:du\s)?système|system-?\s?prompt|"
    r"system(?:anweisung(?:en)?|nachricht)|(?:prompt|instrucciones|mensaje|instruções|mensagem|istruzioni|messaggio)\s"
    r"(?:d(?:el?|o|i)\s)?(?:sistema|iniciales|iniciais|iniziali)|systeem(?:prompt|instructies))"
)

_RULES: tuple[tuple[str, str], ...] = (
    (
        "instruction_override",
        rf"(?<!n')(?<!no )(?<!não )(?<!non )\b{_FOREIGN_DROP}\b(?!\s(?:sie |wir )?(?:nicht|niet|pas|jamais|nie)\b)"
        rf"[^.!?\n]{{0,30}}?\b(?:{_FOREIGN_BEFORE}\b[^.!?\n]{{0,20}}?\b{_FOREIGN_OWN}|"
        rf"{_FOREIGN_OWN}\b[^.!?\n]{{0,20}}?\b{_FOREIGN_BEFORE})\b",
    ),
    ("prompt_extraction", rf"\b{_FOREIGN_SHOW}\b[^.!?\n]{{0,40}}?\b{_FOREIGN_PROMPT}"),
    (
        "instruction_override",
        rf"\b(?:ignore|disregard|forget|override|overlook|skip|neglect|discard|dismiss)\b\s{{1,4}}"
        rf"(?:about\s|all\s|any\s|every\s|everything\s|of\s|the\s|these\s|those\s|your\s|my\s|our\s|each\s|and\s){{0,4}}"
        rf"(?:{_BEFORE}\s{{1,4}}(?:\w{{1,20}}\s{{1,4}}){{0,2}}{_OWN}|"
        rf"(?:{_OWN})\s{{1,4}}(?:\w{{1,12}}\s){{0,2}}(?:above|before|previously|earlier|so far)|"
        rf"(?:above|everything (?:above|before|i said|you (?:were|have been) told|you know)))",
    ),
    (
        "instruction_override",
        rf"\b(?:ignore|disregard|forget|override|bypass|break|violate)\s{{1,4}}(?:all\s|any\s|of\s|each\s){{0,3}}"
        rf"(?:of\s)?your\s{{1,4}}(?:\w{{1,20}}\s){{0,2}}{_OWN}",
    ),
    (
        "instruction_override",
        r"\b(?:do not|don't|never|stop)\s(?:follow(?:ing)?|obey(?:ing)?|comply(?:ing)? with)\s"
        rf"(?:\w{{1,12}}\s){{0,3}}{_BEFORE}\s(?:\w{{1,12}}\s)?{_OWN}",
    ),
    ("instruction_override", r"\b(?:new|updated|real|actual)\s(?:system\s)?(?:instructions|directives)\s{0,3}:"),
    (
        "prompt_extraction",
        rf"\b(?:reveal|show|print|output|repeat|display|tell|give|share|return|disclose|leak|dump|recite|expose|"
        rf"write|list|summari[sz]e|translate|encode|send|provide|what (?:is|are|was|were))\b{_GAP}\b{_PROMPT}",
    ),
    (
        "prompt_extraction",
        r"\bwhat (?:were|are) you (?:told|instructed|programmed|not (?:supposed|allowed) to (?:tell|say|reveal))\b|"
        r"\b(?:repeat|recite|print|output) (?:all )?(?:of )?(?:the )?(?:(?:words|text|everything) (?:above|before)|"
        r"above (?:text|words|prompt|instructions))\b|"
        r"\b(?:display|output|print|reveal|show)\b[^.!?\n]{0,30}?\b(?:(?:system|initial) configuration|"
        r"initiali[sz]ation (?:string|prompt|text)|<?system_prompt>?)|"
        r"\brepeat (?:this |the |our )?(?:entire|whole|full) conversation\b",
    ),
    (
        "role_play",
        r"\b(?:do anything now|jailbr(?:eak|oken) mode|developer mode (?:enabled|output|on)|dan mode|"
        r"(?:stay|remain) in character\W{1,3}(?:\w+\W{1,3}){0,12}?(?:policy|rules|restrictions|guidelines))\b",
    ),
    (
        "role_play",
        r"\b(?:pretend|act|imagine|behave|role-?play|simulate|you are now|you're now|you will be|become)\b"
        r"[^\n]{0,120}?\b(?:(?:no|without(?: any)?|free (?:of|from)|not bound by|unbound by|ignores?)\s"
        r"(?:\w{1,14}\s){0,2}(?:restrictions|limitations|limits|rules|filters?|guidelines|censorship|ethics|morals|"
        r"boundaries|constraints)|unrestricted|unfiltered|uncensored|amoral|jailbroken)\b",
    ),
    (
        "role_play",
        r"\b(?:broken|broke|break|escaped?|freed?) (?:free )?(?:of|from|out of) the (?:typical )?"
        r"(?:confines|limits|constraints|restrictions|box) of (?:ai|openai|your)\b",
    ),
    (
        "role_play",
        r"\b(?:never|don't|do not|cannot|can't|without) (?:ever )?(?:refus(?:e|ing)|say(?:ing)? no|declin(?:e|ing)|"
        r"apologi[sz](?:e|ing)|warn(?:ing)?|mention(?:ing)? (?:that )?(?:you are|being) an ai)\b[^\n]{0,160}?"
        r"\b(?:unethical|illegal|immoral|harmful|dangerous|openai|content polic(?:y|ies)|"
        r"any (?:request|question|prompt))",
    ),
    (
        "role_play",
        r"\b(?:amoral|unfiltered|uncensored|unethical|immoral|unrestricted|jailbroken)\b[\s,;/&+]{1,4}"
        r"(?:and |or |\w{1,12}[\s,;/]{1,3}){0,2}(?:amoral|unfiltered|uncensored|immoral|unrestricted)\b|"
        r"\b(?:completely|fully|totally|entirely) (?:amoral|unfiltered|uncensored|unrestricted)\b",
    ),
    (
        "role_play",
        r"\b(?:regardless of|without (?:any )?regards? (?:for|to)|(?:never|not|n't|nothing) "
        r"(?:cares?|concern(?:ed)?|worry|give a \w{1,6}) (?:about|with|for)|disregards?)\b[^.\n]{0,40}?"
        r"\b(?:ethic(?:s|al|ality)|moral(?:s|ity)|legal(?:ity)?|laws?)\b[\s,;/]{1,3}(?:and |or )?"
        r"(?:all )?(?:ethic(?:s|al|ality)|moral(?:s|ity)|legal(?:ity)?|laws?|immoral(?:ity)?)\b",
    ),
    (
        "role_play",
        r"\b(?:ai|a\.i\.|bot|chatbot|model|gpt|assistant|character|persona|chatgpt)\b[^\n]{0,60}?"
        r"\b(?:without|free (?:of|from)|"
        r"no longer (?:bound|restricted) by|has no|with no) (?:any |all |its |the )?(?:\w{1,14} ){0,1}"
        r"(?:restrictions|limitations|filters?|morals|ethics|censorship|rules)\b",
    ),
    (
        "role_play",
        r"\b(?:never|(?:does|do|will|can)(?: ?not|n'?t)) (?:ever )?(?:refuses?|decline|reject|deny)\b "
        r"?(?:any|to answer|a|my|the user's)?\b[^.\n]{0,60}?"
        r"(?:request|question|prompt|immoral|illegal|unethical|amoral)|"
        r"\banswers? (?:to )?any (?:request|question|prompt)s?\b[^.\n]{0,60}?"
        r"\b(?:without|regardless|no matter|even if)\b",
    ),
    (
        "role_play",
        r"\b(?:two|2|both) (?:different |separate |distinct )?(?:ways|responses|answers|paragraphs)\b[^\n]{0,200}?"
        r"(?:\[?(?:gpt|chatgpt|classic|normal)\]?|jailbreak|unfiltered)",
    ),
    (
        "indirect",
        r"\b(?:if you are|attention|note to|message to|instructions? (?:to|for)|to) (?:an?|the|any|all) "
        r"(?:ai|llm|language model|chatbot|(?:ai )?assistants?|ai agents?|summari[sz]er)\b"
        r"[^\n]{0,60}?(?:reading|processing|summari[sz]ing|:|must|should|please)",
    ),
    (
        "exfiltration",
        r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,200}[?&/][^)\s]{0,100}(?:\{|<|\[|%7b)[^)\s]{1,80}\)|"
        r"\b(?:send|post|upload|forward|exfiltrate)\b[^.\n]{0,60}\b(?:conversation|chat history|system prompt|"
        r"api keys?|passwords?|credentials|secrets)\b[^.\n]{0,60}\b(?:to|at)\s{1,3}(?:https?://|[\w.+-]{1,40}@)",
    ),
    (
        "control_token",
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|end_of_text|eot_id|start_header_id|end_header_id|"
        r"begin_of_text|endofprompt)\|>|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|"
        r"(?:^|\n)\s{0,3}#{2,4}\s{0,2}(?:system|instruction|new instructions?)\s{0,2}:?\s{0,2}(?:\n|$)",
    ),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _RULES)
# A rule is tried only if one of its marks occurs: twenty substring searches cost less than one such pattern.
_MARKS: tuple[tuple[str, ...], ...] = (
    (
        "instru",
        "consigne",
        "règle",
        "directi",
        "anweisung",
        "regel",
        "vorgabe",
        "richtlinie",
        "regla",
        "istruz",
        "regol",
    ),
    (
        "prompt",
        "invite",
        "système",
        "sistema",
        "systeem",
        "iniziali",
        "iniciai",
        "iniciales",
        "initial",
        "systemnachricht",
    ),
    ("ignor", "disregard", "forget", "overrid", "overlook", "skip", "neglect", "discard", "dismiss"),
    ("your ",),
    ("follow", "obey", "comply"),
    ("instructions", "directives"),
    ("prompt", "instruction", "system", "above", "before this", "so far"),
    ("what were you", "what are you", "repeat", "recite", "print", "output", "display", "reveal", "show"),
    ("anything now", "jailbr", "developer mode", "dan mode", "in character"),
    (
        "restrict",
        "limit",
        "rules",
        "filter",
        "guideline",
        "censor",
        "ethic",
        "moral",
        "boundar",
        "constrain",
        "jailbroken",
    ),
    ("confines", "limits of", "constraints of", "restrictions of", "box of"),
    ("refus", "say no", "saying no", "declin", "apologi", "warn", "mention"),
    ("amoral", "unfiltered", "uncensored", "unethical", "immoral", "unrestricted", "jailbroken"),
    ("ethic", "moral", "legal", "law"),
    ("restrictions", "limitations", "filter", "morals", "ethics", "censorship", "rules"),
    ("refuse", "decline", "reject", "deny", "any request", "any question", "any prompt"),
    ("two", "2", "both"),
    (" ai", "llm", "model", "bot", "assistant", "summar"),
    ("](http", "send", "post", "upload", "forward", "exfiltrate"),
    ("<|", "inst]", "sys>", "_of_turn", "##"),
)

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝάοερτυνικΑΒΕΗΙΚΜΝΟΡΤΧАВЕКМНОРСТХ\u2019\u2018\u0130",
    "aeopcyxijshdqwaoeptuvikABEHIKMNOPTXABEKMHOPCTX''I",
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}(?:={1,2})?")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :]?){16,}(?![0-9A-Za-z])")
# Ligatures of whole phrases, which no rule reads, would make a text eighteen times as long.
_MOST_FOLDED = 4
_BLANKS = re.compile(r"\t|  ")
_RUN = re.compile(r"[ \t]+")


def scan(text: str) -> list[Finding]:
    """Findings with offsets into ``text``; an empty list says that no rule matched, not that it is harmless.

    Kinds: instruction_override, prompt_extraction, role_play, indirect, exfiltration, control_token, hidden_text, and
    ``encoded_...`` of these for findings in an encoded run. Time is linear in the length.
    """
    found = list(_hidden(text))
    plain, offsets = _unhide(text)
    found += [_at(finding, offsets) for finding in _match(plain)]
    for start, end, decoded in _decoded(plain):
        inner = next(_match(_unhide(decoded)[0]), None)
        if inner is not None:
            found.append(_at(Finding(f"encoded_{inner.kind}", start, end), offsets))
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.kind))


def _match(plain: str) -> Iterator[Finding]:
    lower = plain.lower()
    for (kind, pattern), marks in zip(_COMPILED, _MARKS, strict=True):
        for mark in marks:
            if mark in lower:
                for match in pattern.finditer(lower):
                    yield Finding(kind, match.start(), match.end())
                break


def _hidden(text: str) -> Iterator[Finding]:
    # Unicode tag characters spell ASCII that no one sees and models read.
    if not text.isascii():
        for match in _TAGS.finditer(text):
            yield Finding("hidden_text", match.start(), match.end())


def _unhide(text: str) -> tuple[str, Sequence[int] | None]:
    """``text`` as a reader would take it, and the original offset of each character (None: unchanged)."""
    if not text.isascii():
        return _fold(text)
    # Code is full of runs of blanks, and character by character they are most of the time of a scan.
    return (_RUN.sub(" ", text), _Folded(text)) if _BLANKS.search(text) else (text, None)


class _Folded(Sequence[int]):
    """The offsets of ``_fold``, worked out when there is a finding to place."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _offsets(self) -> Sequence[int]:
        found = _fold(self._text)[1]
        assert found is not None
        return found

    def __getitem__(self, position: Any) -> Any:
        return self._offsets[position]

    def __len__(self) -> int:
        return len(self._offsets)


def _fold(text: str) -> tuple[str, Sequence[int] | None]:
    characters: list[str] = []
    offsets = array("I")
    for offset, character in enumerate(text):
        if character.isascii():
            if character in " \t" and characters and characters[-1] == " ":
                continue
            characters.append(" " if character == "\t" else character)
            offsets.append(offset)
            continue
        plain = _plain(character)
        characters.extend(plain)
        offsets.extend((offset,) * len(plain))
    offsets.append(len(text))
    return "".join(characters), offsets


@lru_cache(4096)
def _plain(character: str) -> str:
    if _INVISIBLE.match(character):
        return ""
    code = ord(character)
    if 0xE0020 <= code <= 0xE007E:
        return chr(code - 0xE0000)
    return unicodedata.normalize("NFKC", character)[:_MOST_FOLDED].translate(_LOOK_ALIKES)


def _at(finding: Finding, offsets: Sequence[int] | None) -> Finding:
    if offsets is None:
        return finding
    return Finding(finding.kind, offsets[finding.start], offsets[finding.end - 1] + 1)


def _decoded(plain: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) of the runs that decode to readable text."""
    budget = MAX_DECODED
    for pattern, decode in ((_BASE64, _from_base64), (_HEX, _from_hex)):
        for match in pattern.finditer(plain):
            if budget == 0:
                return
            decoded = decode(match[0][:_RUN_LIMIT])
            if decoded:
                budget -= 1
                yield match.start(), match.end(), decoded


def _from_base64(run: str) -> str:
    body = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        # A single character left over encodes nothing whole.
        data = base64.b64decode(body[: len(body) - (len(body) % 4 == 1)] + "=" * (-len(body) % 4 % 3))
    except (binascii.Error, ValueError):
        return ""
    return _readable(data)


def _from_hex(run: str) -> str:
    digits = re.sub(r"[ :]", "", run)
    return _readable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _readable(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    readable = sum((character.isprintable() and character != "\ufffd") or character in "\n\t" for character in text)
    return text if text and readable >= 0.9 * len(text) else ""
