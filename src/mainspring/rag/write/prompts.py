"""What a model is asked for a written answer. Everything that differs between the calls of one answer stands at the end
of the prompt, so that the notes before it are read once and served from the prefix cache after that."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.rag.language import NAMES
from mainspring.rag.write.wish import Wish

INSTRUCTION = (
    "You answer questions from numbered notes. Use only what the notes say, and add nothing that is not in them."
)
_EXACT = "Copy numbers, names and conditions exactly as the note has them."
_FORMS = {
    "plain": "Write the number of the note that answers the question in brackets, then answer in one short sentence. "
    f"{_EXACT} Example: [4] The shop opens at 9 am.",
    "yes_no": "Write the number of the note that decides the question in brackets, then Yes or No and the reason in one "
    f"short sentence. {_EXACT} Example: [4] No, dogs must stay outside.",
    "comparison": "Write one short sentence about each side, each with the number of its note in brackets before it. "
    f"{_EXACT} Example: [2] The small one holds 400 ml. [5] The large one holds 750 ml.",
    "summary": "Write the main point of the notes in one short sentence, with the number of its note in brackets before "
    f"it. {_EXACT} Example: [2] Goods can be returned within a month.",
    "arithmetic": "Write only the calculation that answers the question, with numbers from the notes, and not its result. "
    "Example: 12 + 5",
}
_SIMPLY = " Use easy words that a child understands."
STATED = "Do the notes state the answer to exactly this question? Reply yes or no."


def task(wish: Wish) -> str:
    """The last line of the prompt: what to write, and how."""
    said = _FORMS[wish.form]
    if wish.simple:
        said += _SIMPLY
    if wish.language != "en":
        said += f" Write in {NAMES[wish.language]}."
    return said


def again(sentence: str, found: Sequence[str], number: int, wish: Wish) -> str:
    """Asks for a sentence that was not borne out by note ``number``; ``found`` says why."""
    said = (
        f'"{sentence}" is wrong: {"; ".join(found)}. Answer again from note [{number}] alone, in one short sentence, '
    )
    said += "in its own words."
    return f"{said} Write in {NAMES[wish.language]}." if wish.language != "en" else said


def translated(code: str) -> str:
    """What is to be known about an answer in another language than its sources."""
    return (
        f"This answer is written in {NAMES[code]} by a model that was made for English and code: its numbers and codes "
        "were held against the sources, its words could not be. The cited passages are as the documents have them."
    )
