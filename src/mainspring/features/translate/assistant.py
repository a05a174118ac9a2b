"""The model ``translate``: a chat's last message is translated, within the request ring like every other answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError

from mainspring.core.errors import InvalidRequest
from mainspring.core.path import collect, replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Finish,
    Head,
    Message,
    Principal,
    Request,
    Responder,
    Response,
    Sampling,
    Text,
)
from mainspring.features.translate.documents.pieces import FORMATS, Format
from mainspring.features.translate.engine.card import Card
from mainspring.features.translate.engine.translator import TranslatedText
from mainspring.features.translate.engine.translators import Translators
from mainspring.features.translate.languages import Guess, detect, name
from mainspring.features.translate.settings import TranslateSettings
from mainspring.features.translate.text_threads import Aside
from mainspring.features.translate.translating import Job, Report, Speaks, Translating
from mainspring.http.bodies import Closed
from mainspring.serving.ring.whole_answers import refuse_drawing, with_unread

NAME = "translate"
REPORT = "x-mainspring-translate"
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


LANGUAGES = ("en", "es", "fr", "ko")
"""Those that are told apart where no translator says which it knows."""


class TranslationOptions(Closed):
    """The options of a request to the model ``translate``. ``model`` names a translator or a chat model."""

    target: Language
    source: Annotated[str, Field(pattern=r"^([a-z]{2,3})?$")] = ""
    format: Format = "text"
    glossary: Annotated[dict[str, str], Field(default_factory=dict, max_length=1_000)]
    names: bool = True
    model: Annotated[str, Field(max_length=256)] = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TranslationOptions:
        """Raises ``InvalidRequest`` naming the option."""
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(map(str, first["loc"])) or "options"
            remedy = f"target is a code such as `fr`; formats are {', '.join(FORMATS)}"
            raise InvalidRequest(f"options.{at}: {first['msg']}", remedy=remedy, param=f"options.{at}") from None


class TranslationAssistant:
    """Translates by translators, or by a model of ``chat`` where one is named."""

    def __init__(
        self,
        settings: TranslateSettings,
        translators: Translators,
        translating: Translating,
        chat: Mapping[str, Responder],
        aside: Aside,
    ) -> None:
        self._settings = settings
        self.translators = translators
        self._translating = translating
        self._chat = chat
        self._aside = aside

    def fingerprint(self, request: Request, context: Context) -> None:  # noqa: ARG002
        """Edits change answers, and sentences are remembered one by one: whole answers are not cached."""
        return

    async def visible(self, principal: Principal) -> dict[str, Card]:
        """What translates for the caller without being named: translators, and the chat model of the settings."""
        known = await self.translators.visible(principal)
        chat = self._settings.chat
        if chat and chat in self._chat:
            pairs = tuple(f"{one}-{other}" for one in LANGUAGES for other in LANGUAGES if one != other)
            known.setdefault(chat, Card("chat", pairs))
        return known

    async def guesses(self, text: str, principal: Principal) -> list[Guess]:
        """The languages that a text may be in, of those that are translated. Raises ``Overloaded``."""
        known = languages(await self.visible(principal)) or LANGUAGES
        return await self._aside(lambda: detect(text, known))

    def told(self, guesses: Sequence[Guess]) -> str:
        """The language, if it is certain enough; otherwise empty."""
        sure = guesses and guesses[0].probability >= self._settings.least_probability
        return guesses[0].language if sure else ""

    async def knows_version(self, principal: Principal, label: str) -> bool:
        """See ``training.ports.VersionedApplication``."""
        return await self.translators.trained.named(principal, label) is not None

    def by_version(self, label: str) -> Responder:
        """See ``training.ports.VersionedApplication``."""
        return ByVersion(self, label)

    async def respond(self, request: Request, context: Context, preferred: str = "") -> Response:
        """The whole translation, by the version ``preferred`` where it knows the pair and nothing else is named. Raises
        ``InvalidRequest``, ``NotFound``, ``MissingExtra`` and what a chat model raises."""
        if not isinstance(request, ChatRequest) or not request.messages or request.messages[-1].role != "user":
            raise InvalidRequest(f"{NAME} translates the last message, which is the user's", param="messages")
        refuse_drawing(request, NAME)
        wanted = TranslationOptions.of(request.options)
        text = request.messages[-1].content
        self.check_length(len(text))
        self._check(wanted)
        source = wanted.source or self.told(await self.guesses(text, context.principal))
        if not source:
            raise InvalidRequest(
                "the language of the text is not certain", remedy="Send source", param="options.source"
            )
        if source == wanted.target:
            made, report, model = text, Report(), NAME
        else:
            speaks, model = await self._speaks(wanted, source, context, preferred)
            job = Job(source, wanted.target, wanted.format, wanted.glossary, wanted.names)
            # Of translators it is compared what they say, and not what the one who compares had edited.
            made, report = await self._translating.translate(
                text, job, speaks, context.principal, edits=not context.replay
            )
        head = Head(model, headers={REPORT: _report(report, source)})
        return with_unread(request, Response(head, replay([Text(made), report.usage, Finish("stop")])))

    def check_length(self, characters: int) -> None:
        """Raises ``InvalidRequest``: so many are not translated at once."""
        if characters > self._settings.max_characters:
            raise InvalidRequest(
                f"the text has {characters} characters, but at most {self._settings.max_characters} may be sent",
                remedy="Send its parts, or raise translate.max_characters", param="text",
            )  # fmt: skip

    def _check(self, wanted: TranslationOptions) -> None:
        if len(wanted.glossary) > self._settings.max_terms:
            raise InvalidRequest(
                f"the glossary has more than {self._settings.max_terms} terms (translate.max_terms)", param="glossary"
            )

    async def _speaks(
        self, wanted: TranslationOptions, source: str, context: Context, preferred: str
    ) -> tuple[Speaks, str]:
        named = wanted.model.removeprefix("model:")
        if named in self._chat:
            return ByChat(self._chat[named], named, context), named
        found = await self.translators.of(context.principal, named, source, wanted.target, preferred)
        if found is not None:
            return found[1], found[0]
        chat = self._settings.chat
        if chat and chat in self._chat:
            return ByChat(self._chat[chat], chat, context), chat
        visible = await self.visible(context.principal)
        pairs = sorted({pair for card in visible.values() for pair in card.pairs})
        known = f"Known pairs: {', '.join(pairs)}" if pairs else (
            "There is no translator: `mainspring train` with the recipe translate makes one, and "
            "`mainspring translate convert` brings one"
        )  # fmt: skip
        raise InvalidRequest(
            f"nothing translates {name(source)} to {name(wanted.target)} ({source}-{wanted.target})",
            remedy=f"{known}. To use a chat model, name it as `model`", param="target",
        )  # fmt: skip


class ByVersion:
    """Translates by a version that was put in the place of the own choice."""

    def __init__(self, assistant: TranslationAssistant, label: str) -> None:
        self._assistant = assistant
        self._label = label

    def fingerprint(self, request: Request, context: Context) -> None:
        """See ``TranslationAssistant``."""
        return self._assistant.fingerprint(request, context)

    async def respond(self, request: Request, context: Context) -> Response:
        return await self._assistant.respond(request, context, self._label)


def languages(known: Mapping[str, Card]) -> list[str]:
    """All of these translators'."""
    return sorted({each for card in known.values() for each in card.languages})


class ByChat:
    """A chat model that translates, sentence by sentence, within its call ring."""

    def __init__(self, chat: Responder, model: str, context: Context) -> None:
        self._chat = chat
        self._model = model
        self._context = context
        self.fingerprint = f"chat {model}"
        self.marks = True

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[TranslatedText]:
        """One request each. The marks are to stay; what loses them is asked for in parts."""
        return [await self._one(each, source, target) for each in sentences]

    async def _one(self, sentence: str, source: str, target: str) -> TranslatedText:
        task = (
            f"Translate from {name(source)} to {name(target)}. Write the translation alone, on one line. "
            "Keep marks such as <p0> as they are."
        )
        messages = (Message("system", task), Message("user", sentence))
        sampling = Sampling(max_tokens=16 + 2 * len(sentence), temperature=0.0)
        request = ChatRequest(self._model, messages, sampling)
        answer = await collect(await self._chat.respond(request, self._context.nested()))
        text = " ".join(answer.text.split())
        return TranslatedText(text, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def _report(report: Report, source: str) -> str:
    told = {
        "source": source, "sentences": report.sentences, "remembered": report.remembered, "edited": report.edited,
        "parted": report.parted, "copied": report.copied,
    }  # fmt: skip
    return "; ".join(f"{key}={value}" for key, value in told.items())


def reported(told: str) -> dict[str, str]:
    """What ``REPORT`` says."""
    return dict(part.split("=", 1) for part in told.split("; ") if "=" in part)
