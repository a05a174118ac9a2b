"""Advice as a service: takes orders, and tells what came of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import Forbidden, InvalidRequest, MainspringError, NotFound
from mainspring.core.types import Principal, PromptUse
from mainspring.feature import Rooms, Services
from mainspring.features.advise.settings import AdviseSettings
from mainspring.features.advise.store import AdviceStore
from mainspring.features.advise.trying.running import AdviceWork
from mainspring.features.advise.trying.tools import AdviceTools
from mainspring.features.advise.wish import Tune, Wish
from mainspring.stores.sql import rows
from mainspring.training import recipes
from mainspring.training.run import options_of


class Advise:
    """The advice of all tenants."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(AdviseSettings)
        self.store = AdviceStore(rooms.stores.database, self.settings)
        self.tools = AdviceTools(rooms, self.store, self.settings)
        self._rooms = rooms
        self.queued: Callable[[], None] = lambda: None

    def ready(self, services: Services) -> None:
        """Find the features that stages work with."""
        self.tools.services = services

    def work(self) -> AdviceWork:
        """Works on queued ones."""
        return AdviceWork(self.tools)

    async def submit(
        self,
        principal: Principal,
        data_set: str,
        version: int | str | None,
        wish: Wish,
        *,
        name: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> sa.Row[Any]:
        """Queue an advice. Raises ``InvalidRequest`` naming the field, ``NotFound``, ``Forbidden``,
        ``QuotaExceeded``."""
        try:
            found = await self.tools.data.version(principal, data_set, version)
        except NotFound as error:
            raise NotFound(error.message, remedy=error.remedy, param="dataset") from None
        if found.examples - found.erased < 2:
            raise InvalidRequest(
                f"{data_set}@{found.number} has {found.examples - found.erased} examples",
                remedy="Use at least 2 examples; 50 are enough to decide",
                param="dataset",
            )
        await self._check(principal, wish)
        values = {
            "name": name or f"{data_set}@{found.number}",
            "data_set": data_set,
            "version": found.number,
            "groups": rows.names(found.groups | principal.groups),
            "metadata": rows.dump(dict(metadata or {})),
        }
        advice_id = await self.store.submit(principal, values, wish)
        self.queued()
        return await self.store.get(principal, advice_id)

    async def _check(self, principal: Principal, wish: Wish) -> None:
        if wish.questions > self.settings.questions:
            told = f"{wish.questions} questions are more than {self.settings.questions} (advise.questions)"
            raise InvalidRequest(told, param="questions")
        with _naming("scorer"):
            self.tools.scorers.scorer(wish.scorer, wish.scorer_options)
        served = await self._rooms.path.registry.find(wish.model, principal)
        if served.kind != "chat":
            raise InvalidRequest(
                f"{wish.model} is of the kind {served.kind}, and only chat models can be advised on",
                remedy="Name the model that writes",
                param="model",
            )
        if wish.collection:
            with _naming("collection"):
                await self._rooms.library.get(principal, wish.collection)
        prompts = self._rooms.path.services.prompts
        if wish.prompt is not None and prompts is not None:
            used = PromptUse(wish.prompt["name"], wish.prompt["wanted"], wish.prompt["variables"])
            with _naming("prompt"):
                await prompts.resolve(principal.tenant, used)
        if wish.tune is not None:
            _check_training(principal, wish.tune, self.tools.per_hour(None))

    async def cancel(self, principal: Principal, advice_id: str) -> sa.Row[Any]:
        """Stop it, with what it ordered. Raises ``NotFound``."""
        row = await self.store.get(principal, advice_id)
        await self._rooms.stores.jobs.cancel(row.tenant, row.id)
        self.queued()
        return await self.store.get(principal, advice_id)

    async def delete(self, principal: Principal, advice_id: str) -> None:
        """Delete one that is over, with its sample. Raises ``NotFound``, ``Conflict``."""
        row = await self.store.delete(principal, advice_id)
        with contextlib.suppress(MainspringError):
            await self.tools.data.drop(principal, f"advice-{row.id}")


@contextlib.contextmanager
def _naming(param: str) -> Iterator[None]:
    """What is wrong within the block is wrong with the field ``param``. Raises ``InvalidRequest``."""
    try:
        yield
    except MainspringError as error:
        if error.status >= 500:
            raise
        raise InvalidRequest(error.message, remedy=error.remedy, param=param) from None


def _check_training(principal: Principal, tune: Tune, per_hour: float) -> None:
    """Raises ``InvalidRequest`` naming the field, ``Forbidden``."""
    if principal.scopes.isdisjoint({"train", "admin"}):
        raise Forbidden(
            "this API key lacks the scope 'train', which trying weights needs",
            remedy="Leave fine_tune out, or use a key with it",
            param="fine_tune",
        )
    with _naming("fine_tune.recipe"):
        recipe = recipes.find(tune.recipe)
    if recipe.makes not in ("chat", "adapter") or not {"sft", "raft"} & set(recipe.reads):
        raise InvalidRequest(
            f"{recipe.name} makes {recipe.makes} from {', '.join(recipe.reads)}, and no chat model from answers",
            remedy="Use sft",
            param="fine_tune.recipe",
        )
    with _naming("fine_tune.options"):
        options_of(recipe, tune.options)
    if tune.seconds is None and tune.usd is None:
        raise InvalidRequest(
            "training weights needs a budget", remedy="Give seconds, or usd", param="fine_tune.seconds"
        )
    if tune.seconds is None and not per_hour:
        raise InvalidRequest(
            "the machine has no price (prices.per_hour), so usd cannot limit the training",
            remedy="Give seconds",
            param="fine_tune.usd",
        )
