"""The answer in a model's text, in a normal form: two answers with the same meaning are equal."""

from __future__ import annotations

import json
import re
import string
from decimal import Decimal, InvalidOperation

from mainspring.engines.chat.dialects import balanced

MARK = "Answer:"
_TOLD = re.compile(r"(?:answer\s*(?:is|:)|####|=\s*\\boxed\{|\\boxed\{)\s*(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")
_LETTER = re.compile(r"(?<![A-Za-z])\(?([A-J])\)?(?![A-Za-z'])")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_INSTRUCTIONS = {
    "steps": {
        "number": f"Think step by step. Then write a last line of '{MARK}' and the number.",
        "choice": f"Think step by step. Then write a last line of '{MARK}' and the letter.",
        "text": f"Think step by step. Then write a last line of '{MARK}' and the answer in a few words.",
        "json": "Think step by step. Then write the answer as one JSON value.",
        "whole": "Think step by step.",
    },
    "brief": {
        "number": f"Write '{MARK}' and the number, and nothing else.",
        "choice": f"Write '{MARK}' and the letter, and nothing else.",
        "text": f"Write '{MARK}' and the answer in a few words, and nothing else.",
        "json": "Write the answer as one JSON value, and nothing else.",
        "whole": "",
    },
}


def instruction(template: str, kind: str) -> str:
    """The instruction after the question that makes the answer easy to find (Wei et al. 2022, Kojima et al. 2022)."""
    return _INSTRUCTIONS.get(template, {}).get(kind, "")


def answer(text: str, kind: str) -> str | None:
    """The answer of ``kind`` in ``text``, normalised; None if there is none.

    The value after the last "answer is", "Answer:", "####" or "\\boxed{" takes precedence over the last of its kind.
    """
    if kind == "whole":
        return text.strip() or None
    if kind == "json":
        return _json(text)
    told = _TOLD.findall(text)
    last = told[-1] if told else None
    if kind == "number":
        return _number(last, first=True) or _number(text, first=False)
    if kind == "choice":
        return _letter(last, first=True) or _letter(text, first=False)
    found = normalised(last if last is not None else _last_line(text))
    return found or None


def normalised(text: str) -> str:
    """``text`` in lower case, without articles, punctuation and doubled spaces, as SQuAD compares answers."""
    lower = "".join(each for each in text.lower() if each not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", lower).split())


def _number(text: str | None, *, first: bool) -> str | None:
    found = _NUMBER.findall(text or "")
    if not found:
        return None
    try:
        value = Decimal(found[0 if first else -1].replace("$", "").replace(",", ""))
    except InvalidOperation:
        return None
    written = f"{value:f}"
    whole = written.rstrip("0").rstrip(".") if "." in written else written
    return "0" if whole in ("-0", "") else whole


def _letter(text: str | None, *, first: bool) -> str | None:
    found = _LETTER.findall(text or "")
    return str(found[0 if first else -1]) if found else None


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _json(text: str) -> str | None:
    """The last object or list, as canonical JSON."""
    found, at = None, 0
    while (start := min((p for p in (text.find("{", at), text.find("[", at)) if p >= 0), default=-1)) >= 0:
        end = balanced(text, start)
        if end is None:
            break
        try:
            found = json.dumps(json.loads(text[start:end]), sort_keys=True, ensure_ascii=False)
            at = end
        except (ValueError, RecursionError):
            at = start + 1
    return found


_EQUATION = re.compile(
    r"(?<![\w.,])\$?(-?\d[\d,]*(?:\.\d+)?)\s*([-+*/x×÷])\s*\$?(\d[\d,]*(?:\.\d+)?)\s*=\s*\$?(-?\d[\d,]*(?:\.\d+)?)"
)


def arithmetic(text: str) -> float:
    """The share of the equations ``a op b = c`` in ``text`` that hold; 0 without any."""
    equations = _EQUATION.findall(text)
    right = 0
    for left, sign, other, told in equations:
        a, b, c = (Decimal(each.replace(",", "").rstrip(".")) for each in (left, other, told))
        right += _holds(a, sign, b, c)
    return right / len(equations) if equations else 0.0


def _holds(a: Decimal, sign: str, b: Decimal, told: Decimal) -> bool:
    match sign:
        case "+":
            value = a + b
        case "-":
            value = a - b
        case "*" | "x" | "×":
            value = a * b
        case _:
            if b == 0:
                return False
            value = a / b
    # Results are rounded to the places that the text gives.
    exponent = told.as_tuple().exponent
    return abs(value - told) <= Decimal(5).scaleb(int(exponent) - 1)
