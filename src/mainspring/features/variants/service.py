"""The door: candidates come in, get copies or traffic, become current, and go again."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from typing import cast

from cachetools import TTLCache

from mainspring.core.errors import InvalidRequest, MainspringError, NotFound, UnknownModel
from mainspring.core.settings.serving.routing import RouteArm, RouteSettings, ShadowArm
from mainspring.core.types import Principal, Responder
from mainspring.core.variants import CURRENT, split
from mainspring.feature import Rooms
from mainspring.features.variants import placement_changes
from mainspring.features.variants.kinds import lost, readers
from mainspring.features.variants.kinds.making import Making, Prepared
from mainspring.features.variants.settings import VariantsSettings
from mainspring.features.variants.store import Place, StoredCandidate, VariantMove, VariantStore
from mainspring.features.variants.values import answers_of
from mainspring.serving.ring.registry import Served
from mainspring.serving.route.route import Route
from mainspring.training.ports import Candidate, Placement

_log = logging.getLogger(__name__)
ARM = "candidate"
"""The arm of a candidate's answers; the others' is ``current``."""
# What was erased is in no memory after these times.
_KEPT, _KEPT_S, _READ, _READ_S = 512, 2.0, 64, 60.0
_WHOLE_S = 300.0
_ITSELF = "server"


class _Placed:
    """A placement with its route, made for the responder that the settings have at the time."""

    __slots__ = ("base", "candidate", "current", "place", "route")

    def __init__(self, place: Place, route: Route) -> None:
        self.place = place
        self.route = route
        self.base: Responder | None = None
        self.current: Prepared | None = None
        self.candidate: Prepared | None = None


class Variants:
    """The variants of all tenants: ``training.ports.Door``, and what the registry asks about each served name."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(VariantsSettings)
        self.store = VariantStore(rooms.stores.database, kept=self.settings.kept, moves=self.settings.moves)
        self.making = Making(rooms)
        self._rooms = rooms
        self._registry = rooms.path.registry
        self._placed: dict[tuple[str, str], _Placed] = {}
        self._seen = self._whole_at = 0.0
        self._read: TTLCache[tuple[str, ...], Prepared] = TTLCache(_READ, _READ_S)
        self._admitted: TTLCache[tuple[str, str], StoredCandidate] = TTLCache(_KEPT, _KEPT_S)

    # --- the door --------------------------------------------------------------------------------------------------

    async def admit(self, principal: Principal, candidate: Candidate) -> str:
        """Raises ``InvalidRequest`` with the reason if it cannot be served, ``QuotaExceeded``, ``Conflict``."""
        served = await self._application(principal, candidate.application)
        await self.making.check(principal, candidate, served)
        self.making.responder(served, self.making.prepared({candidate.id: candidate}), principal.tenant)
        subjects = _subjects(candidate)
        database = self._rooms.stores.database
        groups = await readers.groups_of(database, self.making.versions, principal, candidate, subjects)
        groups |= candidate.groups
        await self.store.admit(principal.tenant, candidate, subjects, principal.key_id, groups)
        self._admitted.clear()
        return f"{candidate.application}@{candidate.id}"

    async def shadow(self, principal: Principal, candidate: Candidate, share: float) -> Placement:
        """Its tenant pays for the copies. Raises as ``canary`` does, and ``InvalidRequest`` for a larger share than the
        operator allows."""
        most = self.settings.shadow_share
        if share > most:
            remedy = f"Ask for at most {most:g}, or have the operator raise variants.shadow_share"
            raise InvalidRequest(f"at most a share of {most:g} may be copied", remedy=remedy, param="share")
        return await self._place(principal, candidate, placement_changes.shadow(candidate.id, _share(share)))

    async def canary(self, principal: Principal, candidate: Candidate, share: float) -> Placement:
        """The same candidate again with another share moves the share. Raises what ``admit`` does, and ``Conflict`` if
        another candidate is under trial, or this one is current."""
        return await self._place(principal, candidate, placement_changes.canary(candidate.id, _share(share)))

    async def promote(self, principal: Principal, candidate: Candidate) -> Placement:
        """Raises what ``admit`` does, and ``Conflict`` if another candidate is under trial."""
        return await self._place(principal, candidate, placement_changes.promote(candidate.id))

    async def read(self, principal: Principal, candidate_id: str) -> StoredCandidate:
        """A candidate. Raises ``NotFound``, also if the principal lacks a group of what it was made of."""
        kept = await self.store.get(principal.tenant, candidate_id)
        if not readers.may_read(kept, principal):
            raise NotFound(f"there is no candidate {candidate_id:.40}", param="candidate")
        return kept

    async def withdraw(self, principal: Principal, candidate: Candidate, reason: str) -> Placement:
        """If it is current, what was current before becomes so again. Raises ``NotFound``."""
        await self.store.get(principal.tenant, candidate.id)
        return await self._change(principal, candidate.application, placement_changes.withdraw(candidate.id, reason))

    async def is_admitted(self, tenant: str, candidate: Candidate) -> bool:
        """See ``Admissions``."""
        try:
            return (await self.store.get(tenant, candidate.id)).status == "admitted"
        except NotFound:
            return False

    async def withdraw_unused(self, principal: Principal, application: str, candidate_id: str, reason: str) -> bool:
        """See ``Admissions``."""
        before = await self.store.get(principal.tenant, candidate_id)
        await self._change(
            principal, application, placement_changes.withdraw_unused(candidate_id, principal.key_id, reason)
        )
        after = await self.store.get(principal.tenant, candidate_id)
        return before.status == "admitted" and after.status == "withdrawn"

    async def version_is_used(self, tenant: str, label: str) -> bool:
        """See ``Admissions``."""
        return await self.store.has_version(tenant, label)

    async def undo(self, principal: Principal, application: str, reason: str) -> Placement:
        """Take the latest promotion back that was not taken back yet; who is under trial is so no more."""
        return await self._change(principal, application, placement_changes.undo(reason))

    async def placement(self, tenant: str, application: str) -> Placement:
        return shown(await self.store.place(tenant, application))

    async def shadowed(self, tenant: str, candidate: Candidate) -> tuple[int, int]:
        """The copies that a candidate got since its shadow began, and how many of them failed."""
        place = await self.store.place(tenant, candidate.application)
        return await self.store.shadowed(tenant, candidate.id, place.since)

    async def taken_back(self, tenant: str, candidate: Candidate, since: float) -> str:
        """See ``training.stages.TakenBack``."""
        found = await self.store.history(tenant, candidate.application)
        taken = [each for each in found if each.candidate == candidate.id and each.action in ("withdrawn", "undone")]
        return next((each.reason or each.action for each in taken if each.at >= since), "")

    def responder(self, tenant: str, candidate: Candidate) -> Responder:
        """For a fixed name, and for a collection that was asked before."""
        principal = Principal(tenant, "variants", frozenset({"admin"}))
        served = self._registry.fixed(candidate.application, principal, inner=True, plain=True)
        if served is None:
            raise InvalidRequest(
                f"{candidate.application} can be asked by its name alone",
                remedy=f"Ask {candidate.application}@{candidate.id}",
                param="candidate.application",
            )
        kept = StoredCandidate(candidate, candidate.id, "admitted", "", "", 0.0)
        used = self._current(tenant, candidate.application).with_current(kept).currents
        return self.making.responder(served, self._prepared(used), tenant, kept.id)

    # --- serving ---------------------------------------------------------------------------------------------------

    def varied(self, served: Served, principal: Principal) -> Served:
        """``served`` as the tenant's placement has it."""
        placed = self._placed.get((principal.tenant, served.name))
        if placed is None:
            return served
        route = self._route(placed, served)
        place = placed.place
        used = place.currents if place.candidate is None else (*place.currents, place.candidate)
        return dataclasses.replace(served, responder=route, sampled=served.sampled or _may_write(used))

    async def find(self, name: str, principal: Principal) -> Served | None:
        """``APPLICATION@current`` and ``APPLICATION@cand_...`` of the principal's tenant."""
        application, variant = split(name)
        if not variant:
            return None
        try:
            served = await self._registry.plain(application, principal)
        except UnknownModel:
            return None
        place = self._current(principal.tenant, application)
        if variant == CURRENT:
            used, told = place.currents, _latest(place)
        else:
            kept = await self._find(principal.tenant, variant)
            if kept is None or kept.candidate.application != application or not readers.may_read(kept, principal):
                return None
            used, told = place.with_current(kept).currents, kept.id
        made = self.making.responder(served, self._prepared(used), principal.tenant, told)
        return dataclasses.replace(served, name=name, responder=made, sampled=served.sampled or _may_write(used))

    async def visible(self, principal: Principal) -> list[Served]:  # noqa: ARG002
        """Variants are not listed among the models: who may admit them sees them at ``/v1/variants``."""
        return []

    # --- following -------------------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Take in what changed in the database since the last time."""
        if not self.settings.enabled:
            return
        seen = time.time()
        # Now and then all of them: clocks of servers may differ, and a commit may take long.
        whole = time.monotonic() >= self._whole_at
        for place in await self.store.changed(0.0 if whole else self._seen):
            self._take(place)
        # Those of an erased tenant are no change: their rows are gone.
        for tenant, application in await self.store.gone(list(self._placed)):
            self._take(Place(tenant, application))
        self._seen = seen
        if whole:
            self._whole_at = time.monotonic() + _WHOLE_S
        await self._without_lost()

    async def _without_lost(self) -> None:
        """Take back what would answer by a version that is there no more: what was there before answers."""
        for placed in list(self._placed.values()):
            place = placed.place
            for kept, told in await lost.of(place, self.making):
                change = placement_changes.withdraw(kept.id, told)
                self._take(await self.store.change(place.tenant, place.application, change, _ITSELF))
                self._admitted.clear()

    def _take(self, place: Place) -> None:
        key = place.tenant, place.application
        known = self._placed.get(key)
        if known is not None and known.place == place:
            return
        if not place.currents and place.candidate is None:
            self._placed.pop(key, None)
            self._rooms.path.replicas.own(*key, None)
            return
        # The old arms are gone at once.
        self._placed[key] = placed = _Placed(place, self._arms(place))
        self._rooms.path.replicas.own(*key, placed.route)

    def _arms(self, place: Place) -> Route:
        """The route of a placement, with arms that answer nothing yet: trials look at it before the first request."""
        settings = self._split(place)
        nobody = dict.fromkeys(settings.models, cast(Responder, _NOBODY))
        fixed = self._registry.fixed(place.application, Principal(place.tenant, ""), inner=True, plain=True)
        label = "collection" if fixed is None else place.application
        replicas = self._rooms.path.replicas
        return replicas.made(place.application, settings, nobody, since=place.since, label=label)

    def _split(self, place: Place) -> RouteSettings:
        name = place.application
        arms = {CURRENT: RouteArm(model=f"{name}@{CURRENT}", weight=1.0)}
        shadows = {}
        if place.candidate is not None:
            candidate = f"{name}@{place.candidate.id}"
            if place.stage == "canary":
                arms[CURRENT] = RouteArm(model=f"{name}@{CURRENT}", weight=1.0 - place.share)
                arms[ARM] = RouteArm(model=candidate, weight=place.share)
            else:
                shadows[ARM] = ShadowArm(
                    model=candidate,
                    share=place.share,
                    concurrency=self.settings.shadows,
                    timeout_s=self.settings.shadow_s,
                    max_tokens=self.settings.shadow_tokens,
                    steps=None,
                    recorded=True,
                )
        return RouteSettings(arms=arms, shadows=shadows)

    def _route(self, placed: _Placed, served: Served) -> Route:
        place = placed.place
        if placed.base is served.responder:
            return placed.route
        try:
            if placed.current is None:
                placed.current = self._prepared(place.currents)
            models = {
                f"{place.application}@{CURRENT}": self._made(served, placed.current, place.tenant, _latest(place))
            }
            if place.candidate is not None:
                if placed.candidate is None:
                    placed.candidate = self._prepared(place.with_current(place.candidate).currents)
                name = f"{place.application}@{place.candidate.id}"
                models[name] = self._made(served, placed.candidate, place.tenant, place.candidate.id)
        except InvalidRequest as error:
            # A version of this program that does not know the kind: the settings' answers are better than none.
            _log.warning("what %s uses cannot be read: %s", place.application, error)
            models = dict.fromkeys(placed.route.settings.models, served.responder)
        route = placed.route.over(models, models)
        if served.kind != "collection":
            # A collection's responder is made for each request.
            placed.base, placed.route = served.responder, route
            self._rooms.path.replicas.own(place.tenant, place.application, route)
        return route

    def _made(self, served: Served, found: Prepared, tenant: str, variant: str) -> Responder:
        try:
            return self.making.responder(served, found, tenant, variant)
        except MainspringError as error:
            return cast(Responder, _Failing(error))

    def _prepared(self, used: Sequence[StoredCandidate]) -> Prepared:
        ids = tuple(each.id for each in used)
        if ids not in self._read:
            self._read[ids] = self.making.prepared({each.id: each.candidate for each in used})
        return self._read[ids]

    def _current(self, tenant: str, application: str) -> Place:
        placed = self._placed.get((tenant, application))
        return Place(tenant, application) if placed is None else placed.place

    async def _find(self, tenant: str, candidate_id: str) -> StoredCandidate | None:
        key = tenant, candidate_id
        if key not in self._admitted:
            try:
                self._admitted[key] = await self.store.get(tenant, candidate_id)
            except NotFound:
                return None
        kept = self._admitted[key]
        return kept if kept.status == "admitted" else None

    async def _application(self, principal: Principal, application: str) -> Served:
        if split(application)[1]:
            raise InvalidRequest(
                f"{application} is a variant itself", remedy="Name the application", param="candidate.application"
            )
        try:
            return await self._registry.plain(application, principal)
        except UnknownModel as error:
            raise InvalidRequest(error.message, remedy=error.remedy, param="candidate.application") from None

    async def _place(self, principal: Principal, candidate: Candidate, decide: placement_changes.Change) -> Placement:
        await self.admit(principal, candidate)
        kept = await self.store.get(principal.tenant, candidate.id)
        readers.check_readers(kept, await self._application(principal, candidate.application))
        return await self._change(principal, candidate.application, decide)

    async def _change(self, principal: Principal, application: str, decide: placement_changes.Change) -> Placement:
        place = await self.store.change(principal.tenant, application, decide, principal.key_id)
        self._admitted.clear()
        self._take(place)
        return shown(place)

    async def history(self, tenant: str, application: str) -> list[VariantMove]:
        """The newest first. Raises ``NotFound`` if nothing ever came to the application."""
        found = await self.store.history(tenant, application)
        if not found:
            raise NotFound(f"no requests were ever sent to an application {application:.100}", param="application")
        return found


class _Failing:
    """Says why a variant cannot answer."""

    def __init__(self, error: MainspringError) -> None:
        self._error = error

    def fingerprint(self, *_: object) -> None:
        return None

    async def respond(self, *_: object) -> object:
        raise self._error


_NOBODY = _Failing(UnknownModel("the variant is not made yet"))


def shown(place: Place) -> Placement:
    """A placement as others see it."""
    candidate = None if place.candidate is None else place.candidate.candidate
    currents = tuple(each.candidate for each in place.currents)
    current = currents[-1] if currents and candidate is None else None
    if candidate is not None:
        current = next((each for each in currents if each.kind == candidate.kind), None)
    return Placement(place.application, current, candidate, place.stage, place.share, place.since, currents)


def _may_write(used: Sequence[StoredCandidate]) -> bool:
    """Whether a model may write answers by means of these, where the application quotes by itself."""
    return any(each.candidate.kind in ("model", "router") for each in used)


def _latest(place: Place) -> str:
    return place.currents[-1].id if place.currents else ""


def _subjects(candidate: Candidate) -> list[str]:
    """The answers whose texts are in a candidate, or were read to write it."""
    if candidate.kind == "prompt":
        return sorted(set(map(str, candidate.value.get("sources", ()))))
    if candidate.kind != "examples":
        return []
    return sorted({each for shot in candidate.value.get("examples", ()) for each in answers_of(shot)})


def _share(share: float) -> float:
    if not 0 < share <= 1:
        raise InvalidRequest("share must be above 0 and at most 1", param="share")
    return share
