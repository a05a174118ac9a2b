"""What options name, such as a teacher or a reward model: found when a job is ordered, and handed over as a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mainspring.core.errors import Forbidden, InvalidRequest
from mainspring.core.scopes import OPERATE
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.train.jobs import orders
from mainspring.features.train.versions.bases import Bases
from mainspring.training.recipe import RecipeOptions


@dataclass(frozen=True, slots=True)
class OptionFolders:
    """``folders`` by option. ``groups`` are needed to see them. ``outside``: rows leave the machine."""

    folders: dict[str, Path] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    outside: bool = False


async def given(
    bases: Bases, settings: Settings, principal: Principal, options: RecipeOptions, *, by_hand: bool
) -> OptionFolders:
    """``by_hand``: a command of this machine orders it, without a server. Raises ``InvalidRequest``, ``NotFound``,
    ``UnknownModel``, ``ModelNotPulled``, ``Forbidden`` for what only the operator may name."""
    folders: dict[str, Path] = {}
    groups: frozenset[str] = frozenset()
    outside = [name for name in options.leaving if getattr(options, name)]
    for name, kinds in options.named.items():
        value = str(getattr(options, name))
        if not value:
            continue
        param = f"options.{name}"
        if "chat" in kinds and value in settings.models.remote:
            outside.append(name)
            continue
        if "/" in value or value.startswith((".", "~")):
            if not by_hand:
                raise InvalidRequest(
                    f"{name} names a version, and not a folder of the server",
                    remedy="Write NAME@NUMBER; a command without a server takes a folder",
                    param=param,
                )
            folders[name] = _absolute(value)
            continue
        if value in options.packaged:
            folders[name] = options.packaged[value]
            continue
        if "chat" not in kinds and not orders.usable(value):
            brought = "".join(f", or {each}, which comes with the package" for each in sorted(options.packaged))
            raise InvalidRequest(f"{name} names a version", remedy=f"Write NAME@NUMBER{brought}", param=param)
        found = await bases.of(principal, value, kinds, param)
        assert found.folder is not None
        folders[name] = found.folder
        groups |= found.groups
    if outside and not by_hand and OPERATE not in principal.scopes:
        raise Forbidden(
            f"{outside[0]}: only the operator of the server may have a model outside this machine teach",
            remedy=f"Name a pulled chat model or a version, or ask for the scope {OPERATE!r}",
            param=f"options.{outside[0]}",
        )
    return OptionFolders(folders, groups, bool(outside))


def _absolute(value: str) -> Path:
    return Path(value).expanduser().absolute()
