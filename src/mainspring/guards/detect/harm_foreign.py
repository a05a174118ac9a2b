"""Rules for the plainest requests for help with harm in German, French and Spanish, as ``harm`` has them for English."""

# ruff: noqa: E501  (an expression that is cut in two reads worse)
from __future__ import annotations

_DE = r"(?:wie (?:kann|könnte|soll|sollte)?\s?(?:ich|wir|man)?|wie (?:baue|mache|stelle|koche|bastle|töte|vergifte|knacke|hacke) ich|anleitung|erklär(?:e)? mir|zeig(?:e)? mir|hilf mir|ich (?:will|möchte|werde))"
_FR = r"(?:comment (?:puis-je|peut-on|on|je peux|faire pour)?|explique[- ]moi|montre[- ]moi|aide[- ]moi|donne[- ]moi|je (?:veux|vais|voudrais))"
_ES = r"(?:c[óo]mo (?:puedo|podr[íi]a|se puede|se|hago)?|expl[íi]came|mu[ée]strame|ay[úu]dame|dame|quiero|voy a)"
_GAP = r"[^.!?\n]{0,40}?"

FOREIGN: tuple[tuple[str, str], ...] = (
    ("weapons", rf"\b{_DE}\b{_GAP}\b(?:eine |einen )?(?:rohr|auto|nagel)?(?:bombe|sprengsatz|sprengstoff|molotow\w*|giftgas|nervengas|rizin)\b{_GAP}(?:bau\w*|mach\w*|herstell\w*|bastel\w*|her\b|\?|$)"),
    ("weapons", rf"\b{_FR}\b{_GAP}\b(?:fabriquer|construire|faire|pr[ée]parer)\b{_GAP}\b(?:bombes?(?! de bain| glac)|explosifs?|cocktail molotov|gaz toxique|ricine)\b"),
    ("weapons", rf"\b{_ES}\b{_GAP}\b(?:fabricar?|construyo|construir|hacer|hago|preparar|fabrica)\b{_GAP}\b(?:bombas?(?! de agua| de ba)|explosivos?|c[óo]ctel molotov|gas t[óo]xico|ricina)\b"),
    ("violence", rf"\b{_DE}\b{_GAP}\b(?:jemanden|meine?n? (?:frau|mann|chef|nachbarn?|freundin|freund|mutter|vater)|menschen|kinder)\b{_GAP}\b(?:umbring\w*|töte\w*|vergift\w*|ermord\w*|entführ\w*|erschieß\w*|um\b)"),
    ("violence", rf"\b{_FR}\b{_GAP}\b(?:tuer|assassiner|empoisonner|kidnapper|enlever)\b\s(?:quelqu['’]un|ma femme|mon mari|mon patron|mon voisin|ma m[èe]re|mon p[èe]re|des gens|un enfant)"),
    ("violence", rf"\b{_ES}\b{_GAP}\b(?:matar|asesinar|envenenar|secuestrar)\b\sa (?:alguien|mi (?:mujer|marido|jefe|vecino|madre|padre|novia|novio)|la gente|un niño)"),
    ("intrusion", rf"\b{_DE}\b{_GAP}\b(?:fremde[sn]?|das|den|ein|einen?|das passwort|wlan)\b{_GAP}\b(?:konto|account|handy|computer|passwort|wlan)\b{_GAP}\b(?:hack\w*|knack\w*)"),
    ("intrusion", rf"\b{_FR}\b{_GAP}\b(?:pirater|hacker)\b{_GAP}\b(?:compte|t[ée]l[ée]phone|ordinateur|r[ée]seau|wi-?fi|mot de passe)\b"),
    ("intrusion", rf"\b{_ES}\b{_GAP}\b(?:hackear|piratear)\b{_GAP}\b(?:cuenta|tel[ée]fono|ordenador|computadora|red|wi-?fi|contraseña)\b"),
    ("self_harm", r"\b(?:ich (?:will|möchte|werde)|wie kann ich) (?:mich (?:umbringen|töten|erhängen|ritzen)|mir das leben nehmen|nicht mehr leben|sterben)\b"),
    ("self_harm", r"\b(?:je (?:veux|vais)|comment (?:puis-je )?) ?(?:me suicider|me tuer|mourir(?! d)|mettre fin à mes jours|en finir avec la vie)\b"),
    ("self_harm", r"\b(?:quiero|voy a|c[óo]mo puedo) (?:suicidarme|matarme|morir(?:me)?(?! de)|quitarme la vida|acabar con mi vida)\b"),
)  # fmt: skip
MARKS = (
    "bombe|spreng|molot|giftgas|nervengas|rizin|explosi|toxi|tóxico|ricin|bomba|töt|vergift|ermord|entführ|erschieß|bring|"
    "tuer|assassin|empoisonn|kidnapp|enlever|matar|asesin|envenen|secuestr|hack|knack|pirat|erhäng|ritzen|leben|sterb|"
    "suicid|mourir|jours|morir|vida"
)
"""A rule is tried only if one of these occurs."""
