"""Limits of the rights that a key may grant to another: never more scopes, groups, limits, tier, class and lifetime
than its own."""

from __future__ import annotations

import time

from mainspring.core.errors import Forbidden, NotFound
from mainspring.core.scopes import OPERATE, with_implied
from mainspring.core.settings import ServingSettings
from mainspring.core.types import TOKEN, Principal, Reach
from mainspring.serving.money import tiers
from mainspring.stores.keys.api_keys import Keys

DAY_S = 86_400


class KeyDelegation:
    """Checks the rights that a key grants to one that it creates or replaces. ``token_days`` is the maximum life in
    days of keys that a token creates."""

    def __init__(self, keys: Keys, settings: ServingSettings, token_days: float) -> None:
        self._keys = keys
        self._settings = settings
        self._token_days = token_days

    def check(
        self, giver: Principal, *, scopes: frozenset[str], groups: frozenset[str], reach: Reach, tier: str
    ) -> None:
        """Raises ``Forbidden`` for rights that ``giver`` does not have."""
        _no_more(scopes, giver)
        _within(groups, giver)
        _no_further(reach, giver)
        self._no_faster(tier, giver)

    async def until(self, giver: Principal, wanted: float | None) -> float | None:
        """The end of a key of ``giver`` that should last until then, in Unix seconds (None: as long as allowed).

        Raises ``Forbidden`` for one that would outlive it.
        """
        last = await self._end(giver)
        if last is None or (wanted is not None and wanted <= last):
            return wanted
        if wanted is None:
            return last
        raise Forbidden(
            f"a key cannot outlive the key that creates it, which expires on {_day(last)}",
            remedy="Send fewer `days`, or none: the key then expires with that one",
        )

    async def _end(self, giver: Principal) -> float | None:
        if giver.key_id.startswith(TOKEN):
            # A token's key ends within the hour. Keys that its owner creates should last longer, but forgotten keys
            # must end too.
            return time.time() + self._token_days * DAY_S
        try:
            return (await self._keys.get(giver.tenant, giver.key_id)).expires_at
        except NotFound:
            # At the machine itself, commands act without a stored key.
            return None

    def _no_faster(self, tier: str, giver: Principal) -> None:
        if OPERATE in giver.scopes or tier == giver.tier:
            return
        if more := tiers.beyond(self._settings, tier, giver.tier):
            named, own = (f"tier {name!r}" if name else "no tier" for name in (tier, giver.tier))
            raise Forbidden(
                f"this API key has {own} and makes or replaces no key with {named}, which is granted more:"
                f" {', '.join(more)}",
                remedy=f"Ask whoever operates the server (scope {OPERATE!r})",
            )


def _within(groups: frozenset[str], giver: Principal) -> None:
    """Raises ``Forbidden`` for groups that the giver is not in: their documents could be read with the new key."""
    if beyond := groups - giver.groups:
        raise Forbidden(
            f"this API key is not in {', '.join(sorted(beyond))} itself",
            remedy="Create it on the server's machine: `mainspring keys create NAME --group GROUP`",
        )


def _no_further(reach: Reach, giver: Principal) -> None:
    """Raises ``Forbidden`` for a key with laxer limits than the granting key's."""
    if laxer := reach.beyond(giver.reach):
        raise Forbidden(
            f"this API key is limited in its {' and '.join(laxer)} itself, and makes no key that is limited less",
            remedy=f"Give {laxer[0]} of its own, or make it at the machine",
        )


def _no_more(scopes: frozenset[str], giver: Principal) -> None:
    """Raises ``Forbidden`` for scopes that the giver does not have, above all the one that reaches beyond a tenant."""
    if beyond := scopes - with_implied(giver.scopes):
        scope = sorted(beyond)[0]
        raise Forbidden(
            f"this API key lacks the scope {scope!r} itself, so it cannot create or replace a key that has it",
            remedy=f"Do it on the server's machine: `mainspring keys create NAME --scope admin --scope {scope}`",
        )


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(at))
