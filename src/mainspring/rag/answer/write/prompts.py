"""The prompts for a written answer. Everything that differs between the calls of one answer is at the end of the
prompt, so that the notes before it are read once and then come from the prefix cache."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.rag.answer.write.answer_form import Wish
from mainspring.rag.parse.language import NAMES

INSTRUCTION = "You answer questions from notes. Use only what the notes say, and add nothing that is not in them."
# No examples: a small model writes them down as the answer.
_EXACT = "Keep to the words of the notes, with all numbers, names and conditions."
_FORMS = {
    "plain": f"Answer the question in one short, whole sentence that names what it is about. {_EXACT}",
    "yes_no": f"Answer with Yes or No, and give the reason in the same short sentence. {_EXACT}",
    "comparison": f"Answer in two short sentences, one about each side. {_EXACT}",
    "summary": f"Sum up what the notes say in three short sentences. {_EXACT}",
    "arithmetic": "Write only the calculation that answers the question, as number sign number, with numbers from the "
    "notes. Do not work it out.",
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
    """Asks to rewrite a sentence that note ``number`` does not support; ``found`` says why."""
    said = f'"{sentence}" is wrong: {"; ".join(found)}. Answer again in one short sentence, from note [{number}] alone.'
    return f"{said} Write in {NAMES[wish.language]}." if wish.language != "en" else said


def translated(code: str) -> str:
    """The note for an answer in another language than its sources."""
    return (
        f"This answer is written in {NAMES[code]} by a model that was made for English and code: its numbers and codes "
        "were held against the sources, its words could not be. The cited passages are as the documents have them."
    )
