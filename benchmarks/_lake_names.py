"""Names in made-up questions: how many the lake hides with its phrases alone, and with a spaCy pipeline as well."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import _lake_events as traffic
from mainspring.features.lake.steps import named, safety

FIRST = (
    "Anna Ben Carlos Deepak Elif Fatima Giulia Hans Ingrid Jamal Katarzyna Liam Mei Nadia Oluwaseun Priya Quentin Rosa "
    "Sven Tomoko Umar Valentina Wei Xenia Yusuf Zoe Aisha Boris Chiara Dmitri Emma Felix Grace Hiroshi Ivan Julia Kofi "
    "Lucia Mohammed Nguyen"
).split()
FAMILY = (
    "Schmidt Okafor Nakamura Rossi Kowalski Garcia Singh Andersson Dubois Petrov Yilmaz Haddad Jensen Novak Moreau "
    "Fernandez Ito Mensah Larsen Weber Patel Chen Kim Santos Ferrari Horvat Lindqvist Murphy Walker Bauer Tanaka Ali "
    "Johansson Costa Popescu Nilsson Brown Hughes Mbeki Fischer"
).split()
FRAMES = (
    "I spoke with {} yesterday.|Please ask for {}.|My colleague {} wrote to you.|The order is in the name of {}.|"
    "{} said that it would come today.|Can you tell {} that it is ready?|It was signed by {}.|My name is {}.|"
    "Send the invoice to {}, please.|{} and I share the account.|I am married to {}.|The technician was {}."
).split("|")


def measured(pipeline: str, count: int = 400, seed: int = 9) -> dict[str, Any]:
    """``count`` texts with a name and as many without: names that are hidden and false alarms of each way, CPU."""
    draw = random.Random(seed)
    texts = [traffic._texts(draw, number) for number in range(100, 100 + 2 * count)]
    said = []
    for number, (question, answer) in enumerate(texts):
        name = f"{draw.choice(FIRST)} {draw.choice(FAMILY)}"
        with_name = number < count
        said.append((f"{question} {draw.choice(FRAMES).format(name)}" if with_name else question, answer, name))
    found: dict[str, Any] = {"count": count, "hidden": {}, "alarms": {}}
    read = {}
    for question, answer, _ in said:
        for text in (question, answer):
            read[text] = safety.redacted(text, frozenset(), True, Counter())
    began = time.process_time()
    seen = named.hidden(pipeline, read.values(), ["PERSON", "PER"])
    found["cpu_ms"] = 1000 * (time.process_time() - began) / len(said)
    for way in ("phrases", "phrases and spaCy"):
        made = {text: left if way == "phrases" else seen.get(left, (left, 0))[0] for text, left in read.items()}
        found["hidden"][way] = sum(name not in made[question] for question, _, name in said[:count])
        # The answers to all, and the questions without a name.
        others = [answer for _, answer, _ in said] + [question for question, _, _ in said[count:]]
        found["alarms"][way] = sum("[NAME]" in made[text] for text in others)
    return found
