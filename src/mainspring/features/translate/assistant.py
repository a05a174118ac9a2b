"""The model ``translate``: a chat's last message is translated, within the request ring like every other answer."""

from __future__ import annotations

import asyncio
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
from mainspring.features.translate.engine.runaway import runs_away, without_repetition
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
_AGAIN = 0.5
"""The frequency penalty of the second try, where the first one repeats itself or explains."""
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


LANGUAGES = ("en", "es", "fr", "ko")
"""Those that are told apart where no translator says which it knows."""


_NOTHING = (
    "There is no translator: `mainspring translate convert OWNER/NAME --pair en-fr` brings a public one, the recipe "
    "translate trains one, and chat models translate: the larger one once it is served, others if `model` or "
    "translate.chat names them"
)


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
    """Translates by translators, by a model of ``chat`` where one is named, what none of these knows by ``fallback``,
    if that is served, and otherwise by what the package brings: it is fast, and worse than larger models."""

    def __init__(
        self,
        settings: TranslateSettings,
        translators: Translators,
        translating: Translating,
        chat: Mapping[str, Responder],
        aside: Aside,
        fallback: str = "",
    ) -> None:
        self._settings = settings
        self.translators = translators
        self._translating = translating
        self._chat = chat
        self._aside = aside
        self._fallback = fallback

    def fingerprint(self, request: Request, context: Context) -> None:  # noqa: ARG002
        """Edits change answers, and sentences are remembered one by one: whole answers are not cached."""
        return

    async def visible(self, principal: Principal) -> dict[str, Card]:
        """What translates for the caller without being named: translators, and the chat model of the settings."""
        known = await self.translators.visible(principal)
        chat = self._fallback
        if chat and chat in self._chat:
            pairs = tuple(f"{one}-{other}" for one in LANGUAGES for other in LANGUAGES if one != other)
            known.setdefault(chat, Card("chat", pairs))
        for each, card in (await asyncio.to_thread(self.translators.packaged)).items():
            known.setdefault(each, card)
        return known

    async def guesses(self, text: str, principal: Principal) -> list[Guess]:
        """The languages that a text may be in, of those that are translated. Raises ``Overloaded``."""
        known = languages(await self.visible(principal)) or LANGUAGES
        return await self._aside(lambda: detect(text, known))

    async def check_there(self, principal: Principal, model: str) -> None:
        """Raises ``InvalidRequest`` where no model is named and nothing translates without being named: nobody should
        name a language first, or install what tells languages apart, to learn that."""
        if not model and not await self.visible(principal):
            raise InvalidRequest("nothing translates here", remedy=self._remedy(), param="model")

    def _remedy(self) -> str:
        """What to do where nothing translates."""
        chat = self._settings.chat
        if chat and chat != "auto" and chat not in self._chat:
            return f"translate.chat names {chat}, which is not served: add it to models.chat, or correct the name"
        if self.translators.lacks_extra():
            return f"The translator that comes with the package needs pip install 'mainspring[translate]'. {_NOTHING}"
        return _NOTHING

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
        self.check_length(len(text), "messages")
        self._check(wanted)
        if not wanted.source:
            await self.check_there(context.principal, wanted.model or preferred)
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

    def check_length(self, characters: int, param: str = "text") -> None:
        """Raises ``InvalidRequest`` about the field ``param``: so many are not translated at once."""
        if characters > self._settings.max_characters:
            raise InvalidRequest(
                f"the text has {characters} characters, but at most {self._settings.max_characters} may be sent",
                remedy="Send its parts, or raise translate.max_characters", param=param,
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
        chat = self._fallback
        # Unless it is named, it translates what its quality is known for.
        known_for = self._settings.chat != "auto" or {source, wanted.target} <= set(LANGUAGES)
        if chat and chat in self._chat and known_for:
            return ByChat(self._chat[chat], chat, context), chat
        if brought := await self.translators.of_package(source, wanted.target):
            return brought[1], brought[0]
        visible = await self.visible(context.principal)
        pairs = sorted({pair for card in visible.values() for pair in card.pairs})
        known = f"Known pairs: {', '.join(pairs)}. To use a chat model, name it as `model`" if pairs else self._remedy()
        raise InvalidRequest(
            f"nothing translates {name(source)} to {name(wanted.target)} ({source}-{wanted.target})",
            remedy=known, param="target",
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
        first = await self._asked(sentence, source, target, None)
        if not runs_away(first.text, sentence):
            return first
        again = await self._asked(sentence, source, target, _AGAIN)
        text = again.text if not runs_away(again.text, sentence) else without_repetition(first.text)
        return TranslatedText(text, first.read + again.read, first.written + again.written)

    async def _asked(self, sentence: str, source: str, target: str, penalty: float | None) -> TranslatedText:
        task = (
            f"Translate from {name(source)} to {name(target)}. Write the translation alone, on one line. "
            "Keep marks such as <p0> as they are."
        )
        messages = (Message("system", task), Message("user", sentence))
        sampling = Sampling(max_tokens=16 + 2 * len(sentence), temperature=0.0, frequency_penalty=penalty)
        request = ChatRequest(self._model, messages, sampling)
        answer = await collect(await self._chat.respond(request, self._context.nested()))
        text = " ".join(answer.text.split())
        return TranslatedText(text, answer.usage.prompt_tokens, answer.usage.completion_tokens)


def _report(report: Report, source: str) -> str:
    told = {
        "source": source, "sentences": report.sentences, "remembered": report.remembered, "edited": report.edited,
        "parted": report.parted, "copied": report.copied, "doubtful": report.doubtful,
    }  # fmt: skip
    return "; ".join(f"{key}={value}" for key, value in told.items())


def reported(told: str) -> dict[str, str]:
    """What ``REPORT`` says."""
    return dict(part.split("=", 1) for part in told.split("; ") if "=" in part)
