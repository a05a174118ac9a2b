"""The columns of a row that a question asks for without naming them: "How heavy is it?" asks for a weight.

Only a row that was chosen already is looked at, so that a wrong column costs no other answer.
"""

from __future__ import annotations

import re

_PAIRS = (
    (
        r"\bcosts?\b|\bprices?\b|\bexpensive\b|\bhow much (?:is|are|do|does|did|would|will|must|should)\b|\bpay\b"
        r"|\bearns?\b|\bcharged?\b",
        r"\bprices?\b|\bcosts?\b|\bfees?\b|\bcharges?\b|\bpay\b|\bwages?\b|\bsalar(?:y|ies)\b|\bEUR\b|\bUSD\b|\bGBP\b"
        r"|[€£$]",
    ),
    (r"\bheavy\b|\bweighs?\b|\bweight\b", r"\bweights?\b|\bmass\b|\((?:k?g|lbs?|oz|t)\)"),
    (r"\b(?:begins?|starts?|opens?)\b|\bfrom when\b|\bhow early\b", r"\b(?:from|starts?|begins?|opens?|opening)\b"),
    (
        r"\b(?:ends?|finish(?:es)?|closes?|stops?)\b|\buntil when\b|\bhow late\b",
        r"\b(?:to|until|till|ends?|closes?|closing)\b",
    ),
    (r"\bhow (?:tall|high)\b", r"\bheight\b"),
    (r"\bhow wide\b", r"\bwidth\b"),
    (r"\bhow deep\b", r"\bdepth\b"),
    (r"\bhow fast\b", r"\bspeed\b"),
    (r"\bhow hot\b", r"\btemp(?:erature)?\b"),
    (r"\bhow old\b", r"\bage\b"),
    (r"\bhow (?:large|big)\b|\bhow much (?:does|do|can) .{1,40}\bhold\b", r"\b(?:volume|size|capacity|dimensions)\b"),
    (r"\bhow (?:long|soon|quickly)\b", r"\b(?:days|weeks|months|years|hours|minutes|period|duration|keeps?|time)\b"),
    (r"\bwho\b|\bwhom\b", r"\b(?:contact|owner|person|responsible|manager|lead|author|held by|approver|approved by)\b"),
    (r"^\W*where\b", r"\b(?:place|location|site|address|town|city|room|where)\b"),
    (r"^\W*when\b|\bwhat (?:day|date)\b", r"\b(?:date|day|when|due|deadline|until|by)\b"),
)
_ASKED = tuple((re.compile(question, re.IGNORECASE), re.compile(column, re.IGNORECASE)) for question, column in _PAIRS)


def named(column: str, question: str) -> bool:
    """Whether ``column`` has what ``question`` asks for by another word."""
    return any(asks.search(question) and has.search(column) for asks, has in _ASKED)
