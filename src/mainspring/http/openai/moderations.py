"""Moderations in OpenAI's shape: the body, and the answer."""

# No postponed annotations here: FastAPI must see them.

from typing import Any

from mainspring.core.errors import InvalidRequest, TooLarge, UnknownModel, Unsupported
from mainspring.http.bodies import Body, Few, Name, Table, Texts
from mainspring.serving.judge.moderation import MODEL, OPENAI, OWN, Moderated, ModerationVerdict
from mainspring.stores.sql import ids

MAX_CHARACTERS = 1_000_000
"""Usage of all texts of a request."""


class ModerationPart(Body):
    """A part of an input. Only texts are judged."""

    type: str
    text: str | None = None
    image_url: Table[Any] | None = None


class ModerationBody(Body):
    """``POST /v1/moderations``: a text, several, or one in parts. ``model`` may be any of OpenAI's names: there is one
    set of detectors."""

    input: str | Texts | Few[ModerationPart]
    model: Name = MODEL

    def texts(self, most: int) -> list[str]:
        """Raises ``InvalidRequest``, ``TooLarge``, ``Unsupported`` for other content than text, ``UnknownModel``."""
        if self.model != MODEL and not self.model.startswith(("omni-moderation", "text-moderation")):
            raise UnknownModel(
                f"no moderation model is named {self.model!r}", remedy=f"Leave model out, or use {MODEL}", param="model"
            )
        if isinstance(self.input, str):
            texts = [self.input]
        else:
            texts = [each for each in self.input if isinstance(each, str)]
            parts = [each for each in self.input if isinstance(each, ModerationPart)]
            if parts:
                # The parts of one input are one text, judged together.
                texts = ["\n".join(_text(part) for part in parts)]
        if not texts or not all(text.strip() for text in texts):
            raise InvalidRequest("input must hold at least one text, none of them empty", param="input")
        if (length := sum(map(len, texts))) > MAX_CHARACTERS:
            problem = f"input has {length} characters, but at most {MAX_CHARACTERS} are allowed"
            raise TooLarge(problem, remedy="Send several smaller inputs", param="input")
        if len(texts) > most:
            raise TooLarge(f"input has {len(texts)} texts, but at most {most} are allowed", param="input")
        return texts


def moderations_body(found: Moderated) -> dict[str, Any]:
    """The answer; ``usage`` is an extension."""
    results = [_result(verdict, found) for verdict in found.verdicts]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return {"id": ids.new("modr-"), "model": f"{MODEL}-{found.version}", "results": results, "usage": usage}


def _text(part: ModerationPart) -> str:
    if part.type != "text" or part.text is None:
        raise Unsupported(f"parts of type {part.type!r} are not supported, only text", param="input")
    return part.text


def _result(verdict: ModerationVerdict, found: Moderated) -> dict[str, Any]:
    names = [*OPENAI, *OWN.values()]
    return {
        "flagged": verdict.flagged,
        "categories": {name: name in verdict.found for name in names},
        "category_scores": {name: round(verdict.scores.get(name, 0.0), 6) for name in names},
        "category_applied_input_types": {name: ["text"] if name in found.judged else [] for name in names},
    }
