"""Long conversations with planted facts, which are stated at one turn and asked for at a later one.

The facts are written for this purpose, in two halves: ``DEVELOPMENT`` served to choose weights, ``REPORTED`` gives the
figures. What is said in between comes from a public set of real dialogues where it is at hand (Taskmaster-4, CC BY 4.0,
in ``$MAINSPRING_DATA/dialogues``), or else from written lines.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fact:
    """``told`` by the user; ``asked`` later in other words; ``answer`` is what the prompt must hold to answer it."""

    told: str
    asked: str
    answer: str


def _facts(*rows: tuple[str, str, str]) -> tuple[Fact, ...]:
    return tuple(Fact(*row) for row in rows)


DEVELOPMENT = _facts(
    ("My name is Odalys Brennick.", "Do you remember what I am called?", "Odalys Brennick"),
    ("I'm allergic to walnuts.", "Is there anything that I must not eat?", "walnuts"),
    ("My daughter starts school on 4 September.", "When does my girl's first day of class come?", "4 September"),
    ("Our wifi password is kestrel-88-lamp.", "How do I get the laptop online at home?", "kestrel-88-lamp"),
    ("I prefer aisle seats on trains.", "Where should you place me when you reserve a train?", "aisle"),
    ("The invoice number was INV-20417.", "Which invoice did we talk about?", "INV-20417"),
    ("We moved to Trondheim last winter.", "What city do I live in now?", "Trondheim"),
    ("My manager is called Piet Vandoorne.", "Who is my boss?", "Piet Vandoorne"),
    ("I drive a 2009 Skoda Fabia.", "What car have I got?", "Skoda Fabia"),
    ("Please always answer me in metric units.", "Which units do I want?", "metric"),
    ("The budget for the garden is 3,400 euros.", "How much may the garden cost?", "3,400"),
    ("My dentist appointment is on Tuesday at 14:20.", "At what time must I see the dentist?", "14:20"),
    ("I've been vegetarian since 2016.", "Since when have I not eaten meat?", "2016"),
    ("Our cat is named Bismuth.", "What is our pet called?", "Bismuth"),
    ("I hate cilantro.", "Which herb should you leave out of my recipes?", "cilantro"),
    ("The spare key is under the blue pot.", "Where did I hide the second key?", "blue pot"),
)
REPORTED = _facts(
    ("I'm Teodor, and I work night shifts at the harbour.", "What is my first name?", "Teodor"),
    ("My blood type is B negative.", "Which blood group do I have?", "B negative"),
    ("Our flight leaves on 17 March at 06:45.", "When do we fly?", "17 March"),
    ("The gate code is 7731.", "How do I open the gate?", "7731"),
    ("My son can't eat gluten.", "What does my boy have to avoid?", "gluten"),
    ("We decided to paint the kitchen sage green.", "Which colour did we settle on for the kitchen?", "sage green"),
    ("My landlord, Mrs Okonjo, wants the rent by the third.", "Who owns the flat that I rent?", "Okonjo"),
    ("I only drink decaf after lunch.", "What kind of coffee do I take in the afternoon?", "decaf"),
    ("The server that fails is called heron-04.", "Which machine is broken?", "heron-04"),
    ("My thesis is about tidal mills.", "What am I writing my dissertation on?", "tidal mills"),
    ("I was born in Valparaiso.", "Where do I come from?", "Valparaiso"),
    ("The contract ends on 30 November 2027.", "Until when does the contract run?", "30 November 2027"),
    ("I take a size 43 shoe.", "What shoe size do I need?", "43"),
    ("We have two parrots, Mango and Fig.", "What are our birds called?", "Mango"),
    ("My sister's phone number ends in 5582.", "What are the last digits of my sister's number?", "5582"),
    ("Please call me Doctor Amsel, not by my first name.", "How do I want to be addressed?", "Doctor Amsel"),
    (
        "Remember that I prefer short answers with no lists.",
        "How should you write your replies to me?",
        "short answers",
    ),
    ("The chapel can hold 120 guests.", "How many people fit into the chapel?", "120"),
    ("I've booked the cabin under the name Lindqvist.", "Under which name is the cabin reserved?", "Lindqvist"),
    ("Our recycling is collected every second Thursday.", "Which day is the recycling picked up?", "Thursday"),
)

_SUBJECTS = (
    *("coffee grinders", "bicycle brakes", "tomato seedlings", "tax forms", "hiking boots", "bread ovens"),
    *("piano lessons", "solar panels", "garden sheds", "road trips", "winter tyres", "film cameras"),
    *("chess openings", "knitting patterns", "fish tanks", "rain barrels", "train tickets", "paper planes"),
)
_ASKS = (
    "What should one look for in {}?",
    "How do people usually compare {}?",
    "Tell me something that surprises most about {}.",
    "Is it worth spending more on {}?",
    "What goes wrong most often with {}?",
    "Could you explain {} to a child?",
)
_ANSWERS = (
    "With {} it is mostly a matter of care: look at how they are made, ask who repairs them, and take your time.",
    "Most people begin with price when they think of {}, but wear and upkeep decide in the long run.",
    "A good rule for {} is to try two very different kinds first. After that the choice is usually clear, and you will "
    "know which details matter to you and which were only advertising.",
    "The usual trouble with {} is that nobody reads the manual. Cleaning and storing them well prevents nine in ten "
    "faults, and the rest is a spare part away.",
)


def written(turns: int, seed: int) -> list[tuple[str, str]]:
    """Small talk of (user, assistant), without a fact in it."""
    draw = random.Random(seed)
    talk = []
    for _ in range(turns):
        subject = draw.choice(_SUBJECTS)
        talk.append((draw.choice(_ASKS).format(subject), draw.choice(_ANSWERS).format(subject)))
    return talk


def public(folder: Path, turns: int, seed: int) -> list[tuple[str, str]]:
    """Turns of (user, assistant) from real dialogues in ``folder``. Raises ``FileNotFoundError``."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise FileNotFoundError(folder)
    dialogues = [each for file in files for each in json.loads(file.read_text(encoding="utf-8"))]
    random.Random(seed).shuffle(dialogues)
    talk: list[tuple[str, str]] = []
    for dialogue in dialogues:
        said = [(each["speaker"], " ".join(each["text"].split())) for each in dialogue["utterances"]]
        for (first, asked), (second, answered) in itertools.pairwise(said):
            if (first, second) == ("user", "assistant") and asked and answered:
                talk.append((asked, answered))
        if len(talk) >= turns:
            return talk[:turns]
    raise ValueError(f"{folder} has {len(talk)} turns, {turns} are needed")


def planted(talk: Sequence[tuple[str, str]], facts: Sequence[Fact], places: Sequence[int]) -> list[tuple[str, str]]:
    """``talk`` with each fact told at its place (turns from 0), beside what the user says there anyway."""
    told = list(talk)
    for fact, place in zip(facts, places, strict=True):
        asked, answered = told[place]
        told[place] = (f"{fact.told} {asked}", answered)
    return told
