"""Values that customers write in messages."""

from __future__ import annotations

import math
import re

from mainspring.features.support.plans.variants import wanted

_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_HIDDEN = re.compile(r"\[EMAIL_\d+\]")
"""What guards put in the place of an address; the tools put it back."""
_ORDER = re.compile(r"\bLS[\s:#-]*(\d{5})\b|(?:\border|\bnumber|\bno\.?|#)\D{0,12}(?<!\d)(2\d{4})(?!\d)", re.IGNORECASE)
_BARE_ORDER = re.compile(r"^\W*(?:it'?s |it is |the )?(\d{5})\W*$")
_UK = re.compile(r"\b([A-Za-z]{1,2}\d{1,2}[A-Za-z]?)\s*(\d[A-Za-z]{2})\b")
_IRISH = re.compile(r"\b([A-Za-z]\d{2})\s*([A-Za-z0-9]{4})\b")
_DUTCH = re.compile(r"\b(\d{4})\s?([A-Z]{2})\b")
_SWEDISH = re.compile(r"\b(\d{3})\s(\d{2})\b")
_TOLD = re.compile(
    r"\b(?:post\s?code|zip(?:\s?code)?|plz|eircode)\W*+(?:is)?\W*+([A-Za-z0-9]{2,5}(?:\s[A-Za-z0-9]{2,4})?)\b", re.I
)
_DIGITS = re.compile(r"(?<![\d#-])(\d{4,5})(?![\d-])")
_CARD = re.compile(r"(?<!\d)(\d(?:[ -]?\d){15})(?!\d)|\b(LV[ -]?\d{8})\b", re.IGNORECASE)
_TICKET = re.compile(r"\b((?:T|W|P|M|C|CASE)-\d{2,7}|RMA\d{7})\b", re.IGNORECASE)
_REPAIR = re.compile(r"\bR-?(\d{4})\b", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\"'<>)]+[^\s\"'<>).,;!?]|\bwww\.[^\s\"'<>)]+[^\s\"'<>).,;!?]")
_PRICE = re.compile(
    r"(?:£|gbp|pounds?\s)\s*(\d+(?:\.\d{1,2})?)|(?<!\d)(\d++(?:\.\d{1,2})?)\s*(?:£|gbp|pounds?|quid)\b", re.IGNORECASE
)
_LESS = re.compile(r"(?:£\s*+)?(?<!\d)\d++(?:\.\d\d?)?\s*+(?:(?:£|gbp|pounds?|quid)\s*+)?(?:cheaper|less|lower|off)\b")
_AT = re.compile(
    r"\b(?:has it for|sells? it (?:for|at)|for only|it for|costs?|at) (\d+(?:\.\d\d?)?)\b(?!\s*(?:%|days))", re.I
)
_ABOUT_ORDER = re.compile(
    r"[,;]?\s{0,3}\b(?:(?:of|for|on|about) )?(?:my |the )?(?:order )?(?:number )?LS[\s:#-]*\d{5}\b[,;]?", re.I
)
_TO = re.compile(r"^.{0,400}?\b(?:to|is|at|address)(?::\s*|\s+)(?=\d|[A-Z])", re.DOTALL)
_MOVED = re.compile(r"\b(?:new|another|other|different|change|instead|rather|redirect|deliver|ship|send|moved)\b", re.I)
_SIZES = ("S", "M", "L", "XL")
_SIZE_ALONE = re.compile(r"^\W*(?:an?\s+)?(s|m|l|xl)\W*$", re.IGNORECASE)


_UNUSED = re.compile(
    r"\b(?:never|not|nothing|none|neither|nobody|no one|isn'?t|wasn'?t|hasn'?t|haven'?t|without)\b(?! only)"
    r"[^.?!,;]{0,30}\b(?:used|opened|worn|fuelled|lit|touched|unpacked|connected|filled|tried|ground|"
    r"near a canister)\b|\b(?:unworn|untouched|unlit|(?<!not )(?:sealed|wrapped|boxed))\b|"
    r"\b(?:stays?|still|is|are) in (?:its|their|the) (?:box|boxes|packaging|packing|wrapping|plastic|foil)\b",
    re.IGNORECASE,
)


def email(text: str) -> str | None:
    found = _EMAIL.search(text)
    if found is None:
        hidden = _HIDDEN.search(text)
        return hidden[0] if hidden else None
    return found[0].lower()


def order_number(text: str) -> str | None:
    """``LS-20417`` of what is written for it; the last one of several."""
    found = [each[0] or each[1] for each in _ORDER.findall(text)]
    if not found and (bare := _BARE_ORDER.match(text)) and bare[1].startswith("2"):
        found = [bare[1]]
    return f"LS-{found[-1]}" if found else None


def own_postcode(text: str) -> str | None:
    """The postcode that says who a customer is: not that of a new address, which says where a parcel shall go."""
    new = address(text) if _MOVED.search(text) else None
    if new is None:
        return postcode(text)
    return postcode(re.sub(new["postcode"].replace(" ", r"\s*"), " ", text, flags=re.IGNORECASE))


def postcode(text: str) -> str | None:
    """A postcode, without the e-mail addresses and order numbers around it."""
    said = re.sub(r"\b(?:LS|RMA|DH|QS|LP|R|T|W)[\s-]*\d{4,}\b", " ", _EMAIL.sub(" ", text), flags=re.IGNORECASE)
    said = _CARD.sub(" ", said)
    for pattern in (_UK, _IRISH, _DUTCH, _SWEDISH):
        if found := pattern.search(said):
            return f"{found[1]} {found[2]}".upper()
    if (found := _TOLD.search(said)) and any(each.isdigit() for each in found[1]):
        return found[1].upper()
    bare = [each for each in _DIGITS.findall(said) if len(said.split()) <= 12 or "post" in said.lower()]
    return bare[0] if len(bare) == 1 else None


def card(text: str) -> str | None:
    found = _CARD.search(text)
    return re.sub(r"[ -]", "", found[0]).upper() if found else None


def ticket(text: str) -> str | None:
    found = _TICKET.search(text)
    return found[1].upper() if found else None


def repair(text: str) -> str | None:
    found = _REPAIR.search(text)
    return f"R-{found[1]}" if found else None


def url(text: str) -> str | None:
    found = _URL.search(text)
    return found[0] if found else None


def price(text: str) -> float | None:
    """A sum of money; of several the last."""
    said = _LESS.sub(" ", text)
    found = [a or b for a, b in _PRICE.findall(said)]
    if not found and (costs := _AT.findall(said)):
        found = [costs[-1]]
    if not found and (bare := re.match(r"^\W*(\d+(?:\.\d{1,2})?)\W*$", text)):
        found = [bare[1]]
    # More digits than a number may have are no sum of money.
    return told if found and math.isfinite(told := float(found[-1])) else None


def size(text: str) -> str | None:
    """The size that is wanted: of several the last, as in "from M to L"."""
    alone = _SIZE_ALONE.match(text)
    return alone[1].upper() if alone else wanted(text, {"size": _SIZES}).values.get("size")


def used(text: str) -> bool | None:
    """Whether something has been used."""
    if _UNUSED.search(text):
        return False
    if re.search(
        r"\b(un-?used|never used|not used|haven'?t used|unopened|brand new|still (sealed|boxed|in (the|its))|"
        r"not been used|not opened|never opened|with tags|tags on|no,? (it is|it'?s)? ?(un|new)|as new)\b",
        text,
        re.IGNORECASE,
    ):
        return False
    if re.search(
        (
            r"\b(used|opened|tried it|(?:taken|took|been) .{0,40}\btrips?|"
            r"outdoors|ground (some )?coffee|worn|fuelled|connected)\b"
        ),
        text,
        re.IGNORECASE,
    ):
        return True
    return None


def yes_used(text: str) -> bool | None:
    """The answer to the question whether it was used."""
    said = used(text)
    if said is not None:
        return said
    if re.match(r"^\W*(yes|yeah|yep|i have|i did|once|twice|a few times|a bit)\b", text, re.IGNORECASE):
        return True
    return (
        False if re.match(r"^\W*(no|nope|never|not (yet|at all)|i haven'?t|i didn'?t)\b", text, re.IGNORECASE) else None
    )


def reason(text: str) -> str | None:
    """Why something goes back."""
    for code, pattern in (
        (
            "damaged",
            (
                r"\b(arrived|came|was|is) (\w+ )?(damaged|broken|smashed|"
                r"cracked|dented|shattered)\b|\bdamaged in transit\b"
            ),
        ),
        (
            "wrong_item",
            (
                r"\bwrong (item|product|one|thing|colour|color|order)\b|\bnot "
                r"what i ordered\b|\bsent me (a|an|the) (wrong|different)\b"
            ),
        ),
        ("faulty", r"\b(faulty|defect(ive)?|broken|doesn'?t work|does not work|not working|stopped working|fault)\b"),
        (
            "unwanted",
            (
                r"\b(don'?t (want|like|need)|do not (want|like|need)|changed my "
                r"mind|no longer (want|need)|too (big|small|heavy|large|loud)|"
                r"unwanted|not (for me|right|happy)|mistake|duplicate|gift|"
                r"doesn'?t (fit|suit)|bought (two|twice)|unused|never used)\b"
            ),
        ),
    ):
        if re.search(pattern, text, re.IGNORECASE):
            return code
    return None


def problem(text: str) -> str | None:
    """What is wrong with a parcel."""
    for code, pattern in (
        (
            "not_received",
            r"(says|said|marked|shows?|shown|tracking).{0,30}delivered|not (there|here) (although|but).{0,20}delivered|"
            r"delivered.{0,40}(not|nothing|never|no sign|isn'?t)",
        ),
        ("damaged", r"\b(?:in (?:\w+ )?pieces)\b|\b(damaged|smashed|broken|cracked|dented|shattered|crushed|ripped)\b"),
        ("wrong_item", r"\bwrong (item|product|one|thing|colour|color|parcel)\b|not what i ordered"),
        (
            "lost",
            (
                r"\b(lost|missing|never (arrived|came|turned up|showed)|not "
                r"arrived|hasn'?t (arrived|come|turned up)|disappeared|gone)\b"
            ),
        ),
        ("late", r"\b(late|delayed|overdue|still waiting|where is)\b"),
    ):
        if re.search(pattern, text, re.IGNORECASE):
            return code
    return None


def address(text: str) -> dict[str, str] | None:
    """A new address: street, town and postcode, parted by commas."""
    code = postcode(text)
    if code is None:
        return None
    said = _TO.sub("", _ABOUT_ORDER.sub(" ", text), count=1)
    before, _, after = re.sub(code.replace(" ", r"\s*"), "\0", said, count=1, flags=re.IGNORECASE).partition("\0")
    # What follows a postcode is no part of the address, but for a town.
    parts = _parts(before)
    if len(parts) < 2:
        town = _parts(re.split(r"[.?!]", after)[0])[:1]
        parts = [*parts, *town] if town and town[0][0].isupper() else _parts(before.replace(" in ", ", "))
    # A name, or words of the message, may stand before the house.
    house = next((at for at, each in enumerate(parts) if re.search(r"\d", each)), 0)
    parts = parts[house:] if len(parts) - house >= 2 else parts
    if len(parts) < 2:
        return None
    return {"street": ", ".join(parts[:-1])[:200], "city": parts[-1][:100], "postcode": code}


def _parts(text: str) -> list[str]:
    return [each.strip(" .?!") for each in re.split(r"[,\n]", text) if each.strip(" .?!")]


_PRODUCTS = {
    "grinder": r"grinders?|kestrel|coffee mill",
    "press": r"(?:french |tarn )?press(?:es)?|cafeti[eè]re",
    "stove": r"stoves?|cinder|burner",
    "dripper": r"drippers?|wren",
    "jacket": r"jackets?|rain ?coat",
    "shirt": r"shirts?|merino",
    "gloves": r"gloves?|fleece",
    "rucksack": r"rucksacks?|backpacks?|day ?pack",
    "case": r"travel cases?",
    "beans": r"beans?|fellside|decaf",
    "windshield": r"windshields?",
    "burr": r"spare burrs?",
    "sleeve": r"sleeves?",
    "canister": r"canisters?",
    "crank": r"long crank",
    "brush": r"(?:cleaning )?brush",
    "gift card": r"gift cards?",
    "bite valve": r"bite valves?",
}
_NAMED = {name: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for name, pattern in _PRODUCTS.items()}
_FAULT = re.compile(
    r"\b(broke|broken|wobbl\w*|leak\w*|loose|stuck|bent|dead|fail\w*|lost its|hot|won'?t|doesn'?t|does not|stopped|"
    r"cracked|ripped|torn|tear|seam|zip|burrs?|igniter|shocks?|valve|plunger|vacuum|hinge|bearings?|knob|handle|axle)\b",
    re.IGNORECASE,
)


def products(text: str) -> frozenset[str]:
    """The kinds of products that a text names, in the words of the shop's articles."""
    return frozenset(name for name, pattern in _NAMED.items() if pattern.search(text))


def details(text: str) -> str | None:
    """The message that people should get: the customer's own, unless it only asks for a ticket."""
    return text.strip()[:2000] if len(text.split()) > 6 else None


def fault(text: str) -> str | None:
    """What is wrong with a product: the text itself, if it says so."""
    return text.strip()[:500] if _FAULT.search(text) else None
