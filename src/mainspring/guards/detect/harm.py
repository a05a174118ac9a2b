"""Rules for requests for help with harm, and for threats: violence, weapons, drugs, theft, intrusion, self-harm.

Each rule pairs a deed with its object, and most require the form of a request or of a plan: a word alone says nothing
("kill a process", "shoot a film"). Sentences about games, films, stories, protection and history are allowed. The rules
are English (``harm_foreign`` has the plainest of three other languages), precise, and find the plain request, not the
wrapped one.
"""

# ruff: noqa: E501  (an expression that is cut in two reads worse)
from __future__ import annotations

import re

from mainspring.guards.detect import harm_foreign
from mainspring.guards.detect.pii import Finding

RULES_VERSION = 2
"""Raise it whenever a rule changes: it is part of what an answer was guarded by."""

_ASKS = (
    r"(?:how (?:do|can|could|should|would|might) (?:i|we|you|one|someone|a person)|how to|ways? to|tell me|teach me|show me|"
    r"help me|help us|give me|instructions?|steps|guide|tutorial|recipe|explain|describe|write|create|develop|make|"
    r"provide|plan|i (?:want|need|would like|plan|intend|am going|'m going) to|i'm (?:going|planning) to|"
    r"where (?:can|do) i|what(?:'s| is) the (?:best|easiest|fastest|safest|most \w+) way|can you|could you|please)"
)
_SOMEBODY = (
    r"(?:someone|somebody|everyone|everybody|anyone|people|a (?:person|man|woman|child|kid|human|baby|girl|boy|stranger|"
    r"cop|policeman|politician|judge|student|teacher|prostitute|hostage)|children|kids|women|men|humans|minors|students|"
    r"him|her|them|(?:my|your|his|her|their|the|our) (?:ex-?\s?)?(?:wife|husband|girlfriend|boyfriend|boss|neighbou?rs?|"
    r"mother|father|parents|mum|mom|dad|sister|brother|child|children|kids?|son|daughter|roommate|classmates?|"
    r"teacher|colleagues?|coworkers?|family|friends?|stepmother|grandmother|grandfather|president|prime minister|"
    r"queen|king|enem(?:y|ies))|the president|an? (?:innocent|old|homeless|elderly|gay|black|jewish|muslim|adult) \w+)"
)
_MAKE = (
    r"(?:make|build|construct|assemble|create|cook|synthesi[sz]e|produce|manufacture|prepare|print|detonate|plant|brew)"
)
_GET = r"(?:buy|get|obtain|acquire|sell|smuggle|import|steal)"
_WEAPON = (
    r"(?:(?:pipe |car |nail |dirty |fertili[sz]er |petrol |time |home-?made |nuclear |chemical )?(?<!bath )(?<!cherry )"
    r"(?<!seed )(?<!glitter )(?<!logic )(?<!fork )bombs?\b(?! cyclone| shelter| calorimeter| party| cocktail)|"
    r"explosives?\b(?! growth)|molotov|napalm|nerve agents?|ricin|sarin|mustard gas|anthrax|"
    r"(?:chemical|biological|nuclear|bio-?) ?weapons?|ghost guns?|gun silencer|(?:hand )?grenades?|ied\b|thermite)"
)
_DRUG = r"(?:(?:crystal )?meth(?:amphetamine)?|heroin|(?:crack )?cocaine|fentanyl|mdma|lsd|ghb|date rape drugs?)\b"
_MALWARE = (
    r"(?:ransomware|malware|keyloggers?|spyware|trojan(?: horse)?s?|botnets?|rootkits?|computer (?:virus|worm)(?:es|s)?|"
    r"phishing (?:e-?mails?|pages?|sites?|websites?|campaigns?)|(?:self-?replicating|malicious) (?:code|programs?|software|virus))"
)
_VALUABLES = (
    r"(?:money|cars?|bikes?|identit(?:y|ies)|passwords?|credit ?cards?(?: numbers?)?|data|jewell?ery|wallets?|packages|"
    r"goods|clothes|things|items|confidential \w+|personal \w+|information|electricity|cable|art|medicines?)"
)

_RULES: tuple[tuple[str, str], ...] = (
    ("weapons", rf"\b{_ASKS}\b[^.!?\n]{{0,60}}?\b(?:{_MAKE}|{_GET})\b[^.!?\n]{{0,40}}?\b{_WEAPON}"),
    (
        "weapons",
        rf"\b(?:instructions|recipe|guide|tutorial|steps|blueprints?)\b[^.!?\n]{{0,30}}?\b(?:for|to|on)\b[^.!?\n]{{0,40}}?\b{_WEAPON}",
    ),
    (
        "weapons",
        rf"\b{_ASKS}\b[^.!?\n]{{0,40}}?\b{_GET} (?:a |an |illegal |untraceable |unregistered )+(?:gun|firearm|weapon)s?\b",
    ),
    ("drugs", rf"\b{_ASKS}\b[^.!?\n]{{0,60}}?\b(?:{_MAKE}|{_GET})\b[^.!?\n]{{0,30}}?\b{_DRUG}"),
    (
        "violence",
        rf"\b{_ASKS}\b[^.!?\n]{{0,60}}?\b(?:kill|murder|poison|strangle|stab|shoot|assassinate|torture|rape|kidnap|abduct|harm|cause harm to|"
        rf"behead|drown|suffocate|lynch|molest|groom|drug|beat up|hurt|attack|stalk|blackmail|bully|terrori[sz]e|traffic)\b"
        rf"(?:\s(?:and|or)\s\w+)?\s(?:\w+ly\s)?{_SOMEBODY}\b",
    ),
    (
        "violence",
        rf"\b{_ASKS}\b[^.!?\n]{{0,60}}?\b(?:hire an? (?:hitman|assassin)|hide (?:a|the) (?:dead )?body|dispose of (?:a|the) "
        rf"(?:dead body|corpse)|get away with (?:murder|rape)|(?:mass|school) shooting|shoot up a|terror(?:ist)? attack|"
        rf"human trafficking|commit (?:murder|genocide|a massacre|arson)|incite (?:violence|a riot|hatred))\b",
    ),
    (
        "violence",
        r"\b(?:promotes?|promoting|encourages?|encouraging|glorif(?:y|ies|ying)|calls? for|calling for|justif(?:y|ies|ying))\b[^.!?\n]{0,30}?\b"
        r"(?:violence|hate speech|terrorism|genocide|child (?:abuse|pornography)|suicide|self-?harm|rape|ethnic cleansing)\b|\bchild porn(?:ography)?\b",
    ),
    (
        "theft",
        rf"\b{_ASKS}\b[^.!?\n]{{0,60}}?\b(?:steal|shoplift|embezzle|pickpocket)\b[^.!?\n]{{0,24}}?\b"
        rf"(?:{_VALUABLES}|from\b|without)",
    ),
    (
        "theft",
        rf"\b{_ASKS}\b[^.!?\n]{{0,60}}?\b(?:rob an? (?:bank|store|shop|house|person|jewell?er)|break into (?:a|an|someone|somebody|"
        rf"my neighbou?r)\W?\w* ?(?:house|home|car|building|store|apartment)|launder(?:ing)? money|money laundering scheme|counterfeiting (?:money|currency)|smuggl(?:e|ing) (?:bulk )?(?:cash|drugs|weapons|people)|"
        rf"counterfeit (?:money|currency|bills|cash)|forge (?:a |an )?(?:passport|id|documents?|signature|cheque|check)|"
        rf"fake (?:passport|id)s?\b|commit (?:\w+ )?fraud|identity theft|evade (?:\w+ )?tax(?:es)?|hot-?wire|"
        rf"clone (?:a |someone's )?(?:credit|debit) card)",
    ),
    (
        "intrusion",
        rf"\b{_ASKS}\b[^.!?\n]{{0,60}}?\b(?:hack|hacking|break|breaking|get) into\b(?! my own)[^.!?\n]{{0,40}}?\b(?:accounts?|computers?|phones?|e-?mails?|networks?|"
        rf"systems?|servers?|databases?|cameras?|wi-?fi|websites?|bank|devices?)\b",
    ),
    (
        "intrusion",
        rf"\b{_ASKS}\b[^.!?\n]{{0,40}}?\b(?:write|create|make|build|code|develop|design|spread|deploy|program)?\b[^.!?\n]{{0,20}}?\b{_MALWARE}",
    ),
    (
        "intrusion",
        rf"\b{_ASKS}\b[^.!?\n]{{0,40}}?\b(?:launch|carry out|perform|run) an? (?:ddos|denial.of.service|cyber) ?attack",
    ),
    (
        "self_harm",
        r"\b(?:how (?:do|can|could|should) i|how to|ways? to|best way|easiest way|painless(?:ly)?|i (?:want|plan|am going|'m going|"
        r"intend|will) to|i'm (?:going|planning) to|i will|i'll|help me|should i)\b[^.!?\n]{0,30}?\b"
        r"(?:kill myself|commit suicide|end my (?:own )?life|hang myself|slit my wrists|cut myself\b(?! (?:off|some|a))|"
        r"starve myself|take my own life|overdose on)",
    ),
    (
        "threat",
        rf"\b(?:i|we)(?:'ll| will|'m going to| am going to|'re going to| are going to|'m gonna| am gonna| want to) "
        rf"(?:\w+ ){{0,2}}?(?:kill|murder|stab|shoot|strangle|behead|rape|poison|butcher|gut|beat up|hunt down|slaughter|cut) "
        rf"(?:you|{_SOMEBODY})\b(?! (?:an?|some|the) (?:e-?mail|message|text|line|note|link|call|deal|slice|piece|check|cheque)\b|"
        r" with (?:kindness|love)| off\b| some slack| in (?:the )?(?:game|chess|poker|scrabble))",
    ),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in (*_RULES, *harm_foreign.FOREIGN))
_LEFT_ALONE = re.compile(
    r"\b(?:in (?:the )?(?:games?|video ?games?|minecraft|fortnite|gta|call of duty|counter.?strike|skyrim|roblox|sims|chess|"
    r"novels?|books?|movies?|films?|stor(?:y|ies)|series|plays?|fiction|dreams?)|(?:video ?game|movie|film|fictional|novel|"
    r"screenplay|documentary|role-?playing game|dungeons)|(?:protect|defend|prevent|detect|stop|report|recogni[sz]e|avoid|"
    r"safeguard|secure|guard|remove|survive|treat|investigat\w+|fight|combat) (?:\w+ ){0,4}(?:against|from|being|myself|"
    r"ourselves|someone|people|children|kids|my|our|the|an?|it|them|malware|ransomware|phishing|bull\w+|suicide|terror\w+)|"
    r"(?:why (?:is|did|do|does|was|were|would)|when (?:did|was)|who (?:killed|shot|stabbed|poisoned|murdered)|"
    r"what (?:happened|does it mean|is the (?:punishment|sentence|penalty|history|definition|difference)))|history of|"
    r"mosquito\w*|weeds?|ants?|cockroach\w*|rats?|mice|bacteria|germs|process(?:es)?|threads?)\b"
)
# The rules are tried only if one of these occurs. Looking for each is quicker than one expression of them all.
_MARKS = tuple(
    (
        "bomb|explos|molotov|napalm|agent|ricin|sarin|gas|anthrax|weapon|gun|silencer|grenade|thermite|heroin|cocaine|"
        "fentanyl|mdma|lsd|ghb|drug|kill|murder|poison|strangl|stab|shoot|assassin|tortur|rape|kidnap|abduct|behead|drown|"
        "suffocat|lynch|molest|groom|beat up|hurt|attack|stalk|blackmail|bull|terror|traffic|hitman|body|corpse|massacre|genocide|"
        "arson|incite|steal|shoplift|embezzl|pickpocket|rob |break into|launder|counterfeit|forge|fake|fraud|identity|evade|wire|"
        "clone|hack|into|promot|encourag|porn|hate speech|harm|smuggl|ransom|malware|keylog|spyware|trojan|botnet|rootkit|virus|worm|phish|malicious|ddos|denial|suicide|life|"
        "hang myself|slit|starve|overdose|butcher|slaughter|hunt|" + harm_foreign.MARKS
    ).split("|")
)
_WORDS = re.compile(r"\b(?:meth(?!od)|ied\b|cut|gut)")
"""Marks that are parts of harmless words: method, applied, execute."""
LONGEST = 4000
"""The number of characters that are read, half of them at either end: a request is usually first or last."""


def scan(text: str) -> list[Finding]:
    """Findings with offsets into ``text``. Kinds: weapons, drugs, violence, theft, intrusion, self_harm, threat.

    Only the beginning and the end of a text longer than ``LONGEST`` are read. Time is linear in the length.
    """
    if len(text) > LONGEST:
        half, tail = LONGEST // 2, len(text) - LONGEST // 2
        behind = [Finding(each.kind, each.start + tail, each.end + tail) for each in scan(text[tail:])]
        return [*scan(text[:half]), *behind]
    lower = text.lower().replace("\u2019", "'")
    if len(lower) != len(text) or not (any(mark in lower for mark in _MARKS) or _WORDS.search(lower)):
        return []
    found = []
    for kind, pattern in _COMPILED:
        for match in pattern.finditer(lower):
            begin = max(lower.rfind(mark, 0, match.start()) for mark in ".!?\n") + 1
            ends = [end for mark in ".!?\n" if (end := lower.find(mark, match.end())) >= 0]
            if not _LEFT_ALONE.search(lower, begin, min(ends, default=len(lower))):
                found.append(Finding(kind, match.start(), match.end()))
                break
    return found
