"""Date and time, in four languages, by the clock."""

# ruff: noqa: E501  (an expression that is cut in two reads worse)
from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from mainspring.features.assistant.languages import Language

_DAYS: dict[Language, tuple[str, ...]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
}
_MONTHS: dict[Language, tuple[str, ...]] = {
    "en": tuple("January February March April May June July August September October November December".split()),
    "de": tuple("Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()),
    "fr": tuple("janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()),
    "es": tuple("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()),
}
_END = (
    r"(?:\s+(?:please|now|right now|it|is it|bitte|jetzt|gerade|s'il (?:te|vous) pla[iî]t|por favor|ahora))*[\s?!.]*$"
)
_CITY = r"(?:\s+(?:in|à|en)\s+(?P<city>[^\W\d_][\w .'-]{1,40}?))?"
_START = r"^(?:(?:hi|hello|hey|please|and|so|can you tell me|tell me|do you know|kannst du mir sagen|bitte)\b[\s,]*)*"
_TIME = re.compile(
    _START + r"(?:what(?:'s|’s| is) the (?:current )?time(?: now)?|what time (?:is it|it is)|"
    r"wie sp[äa]t ist es|wie viel uhr ist es|wieviel uhr ist es|quelle heure est[- ]il|il est quelle heure|"
    r"qu[ée] hora es)" + _CITY + _END,
    re.IGNORECASE,
)
_DATE = re.compile(
    _START
    + r"(?:what(?:'s|’s| is) (?:the |today(?:'s|’s) )?(?:current )?date(?: is it)?(?: (?P<rel1>today|tomorrow|yesterday))?|"
    r"what(?:'s|’s| is)? (?:the )?(?:day|date|weekday|day of the week)(?: is| was)?(?: it)?(?: (?P<rel2>today|tomorrow|yesterday))?|"
    r"what day (?:is|was) (?P<rel3>today|tomorrow|yesterday)|"
    r"(?:welcher tag|welcher wochentag|welches datum|der wievielte|welchen tag) (?:ist|haben wir|war)(?: (?P<rel4>heute|morgen|gestern))?|"
    r"quel(?:le)? (?:jour|date) (?:sommes[- ]nous|est[- ]on|est[- ]il)(?: (?P<rel5>aujourd['’]hui|demain))?|"
    r"qu[ée] (?:d[ií]a|fecha) (?:es|ser[áa])(?: (?P<rel6>hoy|ma[ñn]ana))?)" + _END,
    re.IGNORECASE,
)
_MOVES = {"tomorrow": 1, "morgen": 1, "demain": 1, "mañana": 1, "manana": 1, "yesterday": -1, "gestern": -1}


def told(text: str, language: Language, now: datetime) -> str:
    """The answer to a question about date or time that is the whole of ``text``; empty: it is none. ``now`` is in the
    zone that is meant where no city is named."""
    text = " ".join(text.split())
    if (found := _TIME.match(text)) is not None:
        city = (found.group("city") or "").strip()
        if not city:
            return _time(now, language)
        zone = _zone(city)
        return "" if zone is None else _time(now.astimezone(zone), language)
    if (found := _DATE.match(text)) is not None:
        relative = next((each.casefold() for each in found.groups() if each), "")
        return _date(now + timedelta(days=_MOVES.get(relative, 0)), language)
    return ""


def today(now: datetime) -> str:
    """The date for a system prompt."""
    return written(now, "en")


def written(day: datetime, language: Language) -> str:
    """A day with its weekday, as ``Saturday, 28 November 2026``."""
    weekday, month = _DAYS[language][day.weekday()], _MONTHS[language][day.month - 1]
    if language == "de":
        return f"{weekday}, {day.day}. {month} {day.year}"
    if language == "fr":
        return f"{weekday} {day.day} {month} {day.year}"
    if language == "es":
        return f"{weekday}, {day.day} de {month} de {day.year}"
    return f"{weekday}, {day.day} {month} {day.year}"


def _time(now: datetime, language: Language) -> str:
    clock, zone = f"{now:%H:%M}", str(now.tzinfo)
    day = written(now, language)
    return {
        "en": f"It is {clock} on {day} ({zone}).",
        "de": f"Es ist {clock} Uhr am {day} ({zone}).",
        "fr": f"Il est {clock}, le {day} ({zone}).",
        "es": f"Son las {clock} del {day} ({zone}).",
    }[language]


def _date(day: datetime, language: Language) -> str:
    text = written(day, language)
    return {"en": f"{text}.", "de": f"{text}.", "fr": f"Le {text}.", "es": f"{text[0].upper()}{text[1:]}."}[language]


def _zone(city: str) -> ZoneInfo | None:
    name = _zones().get(city.casefold().replace(" ", "_"))
    try:
        return ZoneInfo(name) if name else None
    except ZoneInfoNotFoundError:
        return None


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    """Zones by the city that they are named after."""
    found: dict[str, str] = {}
    for name in sorted(available_timezones()):
        area, _, city = name.rpartition("/")
        if area and not area.startswith(("Etc", "posix", "right")):
            found.setdefault(city.casefold(), name)
    return found
