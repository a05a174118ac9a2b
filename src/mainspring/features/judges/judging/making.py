"""Makes judges of definitions: which model judges, and what its calls cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from cachetools import LRUCache

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Context, Principal, Responder
from mainspring.engines.base import Embedder, Reranker
from mainspring.feature import Rooms
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.judging.asking import Asking, LogprobSupport
from mainspring.features.judges.judging.by_chat import MOST_SENTENCES, ByChat
from mainspring.features.judges.judging.items import Item, Judge, Judgement
from mainspring.features.judges.judging.several import ByConsistency, Combined, Jury
from mainspring.features.judges.judging.without_chat import ByReranker, ByRules, BySupport

ASKED_AS = "judge:"
"""Before the names under which judges themselves can be asked."""
_DEPTH = 3
"""Juries of juries of judges, and no further."""
Find = Callable[[str], Awaitable[Definition]]
"""The definition of a judge by name. Raises ``NotFound``."""


@dataclass(frozen=True, slots=True)
class ReadyJudge:
    """A judge that is ready to judge. ``version`` changes with its definition, its members' and its models';
    ``models`` are the chat models that it asks, ``seats`` the judges that it is made of."""

    name: str
    definition: Definition
    judge: Judge
    version: str
    models: tuple[str, ...]
    weight: float = 1.0
    seats: tuple[ReadyJudge, ...] = ()

    @property
    def label(self) -> str:
        """As scores are stored under it."""
        return f"{self.name}@{self.models[0] if self.models else self.definition.kind}/{self.version}"

    @property
    def threshold(self) -> float:
        return self.definition.threshold


class Maker:
    """Makes judges over the open rooms. ``default`` is the chat model of judges that name none (empty: the first
    one besides the default model, which wrote most answers)."""

    def __init__(self, rooms: Rooms, default: str = "") -> None:
        self._rooms = rooms
        self._default = default
        # By tenant, too: of another one the same name may be another agent.
        self._told: LRUCache[tuple[str, str], LogprobSupport] = LRUCache(1_000)

    async def make(
        self, name: str, definition: Definition, find: Find, context: Context, *, turned: bool = False, depth: int = 0
    ) -> ReadyJudge:
        """``turned``: with the replies of scales in the other order. Raises ``UnknownModel``, ``Unsupported`` where its
        model is not here, ``NotFound`` and ``InvalidRequest`` for members that do not fit."""
        if definition.kind in ("jury", "combined"):
            return await self._several(name, definition, find, context, turned, depth)
        if definition.kind == "rules":
            return ReadyJudge(name, definition, ByRules(definition), definition.digest(), ())
        if definition.kind == "support":
            judge: Judge = self._support()
            return ReadyJudge(name, definition, judge, definition.digest(judge.state), ())
        if definition.kind == "reranker":
            judge = ByReranker(definition, self._reranker(), self._reranked())
            return ReadyJudge(name, definition, judge, definition.digest(judge.state), ())
        model = self.model(definition)
        responder = await self._responder(model, context.principal)
        asking = Asking(responder, model, self._told.setdefault((context.principal.tenant, model), LogprobSupport()))
        state = asking.state(context)
        if definition.kind == "consistency":
            support = self._support()
            judge = ByConsistency(definition, responder, model, support.judge, f"{state} {support.state}")
        else:
            judge = ByChat(definition, asking, state, turned=turned)
        return ReadyJudge(name, definition, judge, definition.digest(judge.state), (model,))

    def model(self, definition: Definition) -> str:
        """The chat model that judges. Raises ``Unsupported`` if there is none, ``InvalidRequest`` if it is a judge."""
        chat = list(self._rooms.path.chat)
        first = self._rooms.settings.models.chat[:1]
        others = [name for name in chat if name not in first]
        found = definition.model or self._default or next(iter([*others, *chat]), "")
        if not found:
            raise Unsupported(
                "there is no chat model to judge with", remedy="Name one in models.chat, or use a judge without"
            )
        if found.startswith(ASKED_AS):
            # Its own model could be this one: neither would ever answer.
            raise InvalidRequest(
                f"{found:.100} is a judge, and no chat model",
                remedy="Name a chat model; judges of judges are of the kind jury or combined, with members",
                param="model",
            )
        return found

    async def _several(
        self, name: str, definition: Definition, find: Find, context: Context, turned: bool, depth: int
    ) -> ReadyJudge:
        if depth >= _DEPTH:
            raise InvalidRequest(f"judges are nested more than {_DEPTH} deep", param="members")
        seats = []
        for member in definition.members:
            told = await find(member.judge)
            made = await self.make(member.judge, told, find, context, turned=turned, depth=depth + 1)
            if told.mode != definition.mode and "pointwise" not in (told.mode, definition.mode):
                raise InvalidRequest(f"{member.judge} is {told.mode}, but {name} is {definition.mode}", param="members")
            seats.append(
                ReadyJudge(made.name, made.definition, made.judge, made.version, made.models, member.weight, made.seats)
            )
        state = " ".join(f"{seat.name}/{seat.version}" for seat in seats)
        judge: Judge = (Jury if definition.kind == "jury" else Combined)(definition, seats, state)
        models = tuple(dict.fromkeys(model for seat in seats for model in seat.models))
        return ReadyJudge(name, definition, judge, definition.digest(state), models, seats=tuple(seats))

    async def _responder(self, model: str, principal: Principal) -> Responder:
        served = await self._rooms.path.registry.find(model, principal)
        if served.kind not in ("chat", "application", "collection"):
            raise Unsupported(f"{model} is not a chat model: it cannot judge", param="model")
        return self._rooms.path.chat.get(model, served.responder)

    def _support(self) -> BySupport:
        embedder, charged = self._rooms.engines.embedder, self._rooms.path.charged
        from mainspring.rag.triad import weights

        def of(context: Context) -> Embedder:
            return charged.embedder(embedder, context)

        return BySupport(of, f"{embedder.name} {weights.SUPPORT}")

    def _reranker(self) -> Callable[[Context], Reranker]:
        inner = self._cross_encoder()
        return partial(self._rooms.path.charged.reranker, inner)

    def _reranked(self) -> str:
        return self._cross_encoder().fingerprint

    def _cross_encoder(self) -> Reranker:
        engines = self._rooms.engines
        found = engines.reader or engines.reranker
        if found is None:
            raise Unsupported(
                "no cross-encoder is configured", remedy="Set models.answers or models.reranker", param="kind"
            )
        return found


def most_calls(made: ReadyJudge, item: Item) -> int:
    """The most calls of chat models that an item needs."""
    definition = made.definition
    if made.seats:
        return sum(most_calls(each, item) for each in made.seats)
    if definition.kind == "consistency":
        return definition.samples
    if definition.kind != "chat":
        return 0
    each = definition.samples * len(definition.criteria)
    if definition.mode != "pointwise":
        return each * len(item.answers)
    # A reply that is not on the scale is asked for again, by a grammar.
    return 2 * each * (MOST_SENTENCES if definition.unit == "sentence" else 1)


async def judged(made: ReadyJudge, item: Item, context: Context) -> Judgement | None:
    """The judgement of one item. Raises ``InvalidRequest`` if the item does not fit the judge's mode, or its model
    wrote the answer; and the judge's errors."""
    definition = made.definition
    wanted = {"pointwise": (1, 1), "pairwise": (2, 2), "listwise": (2, 10)}[definition.mode]
    if not wanted[0] <= len(item.answers) <= wanted[1]:
        many = "one answer" if wanted[1] == 1 else "two answers" if wanted[1] == 2 else "two to ten answers"
        raise InvalidRequest(f"the judge {made.name} is {definition.mode}: it judges {many}", param="answers")
    if item.writer and item.writer in made.models and not definition.own_answers and definition.kind != "consistency":
        raise InvalidRequest(
            f"the judge {made.name} asks {item.writer}, which wrote the answer itself",
            remedy="Name another model in the judge's definition, or set own_answers",
            param="model",
        )
    return await made.judge.judge(item, context)
