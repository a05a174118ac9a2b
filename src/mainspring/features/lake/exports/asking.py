"""What is asked of an export, checked and as JSON."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.lake.exports.sets.formats import ExportFormat, check_format
from mainspring.features.lake.exports.sets.rows import ExportKind, Options, check_kind
from mainspring.features.lake.exports.sets.splits import Shares

_MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """An export that somebody wants. ``since`` and ``until`` are of the answers, in Unix seconds (None: all);
    ``applications`` empty: all. ``override`` is the reason of an administrator who exports without consent."""

    kind: ExportKind
    format: ExportFormat = "trl"
    name: str = ""
    shares: Shares = field(default_factory=Shares)
    licence: str = "proprietary"
    since: float | None = None
    until: float | None = None
    applications: tuple[str, ...] = ()
    override: str = ""
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        check_kind(self.kind)
        check_format(self.kind, self.format)
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise InvalidRequest("since must be before until", param="since")
        for name in ("name", "licence", "override"):
            if len(getattr(self, name)) > _MOST_TEXT or "\n" in getattr(self, name):
                raise InvalidRequest(f"{name} must be one line of at most {_MOST_TEXT} characters", param=name)
        options = self.options
        if not 0 <= options.shots <= 50 or not 0 <= options.distractors <= 20 or not 0 <= options.keep_oracle <= 1:
            problem = "shots must be from 0 to 50, distractors from 0 to 20, and keep_oracle from 0 to 1"
            raise InvalidRequest(problem, param="options")

    @property
    def title(self) -> str:
        """The name, or one made of the kind and the day."""
        return self.name or f"{self.kind}-{time.strftime('%Y-%m-%d', time.gmtime())}"

    @property
    def filters(self) -> dict[str, Any]:
        """As the manifest tells them."""
        told: dict[str, Any] = {"since": self.since, "until": self.until, "applications": list(self.applications)}
        return {name: value for name, value in told.items() if value} | {"options": dataclasses.asdict(self.options)}

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> ExportRequest:
        """What ``plain`` made."""
        fields = dict(plain)
        fields["shares"], fields["options"] = Shares(**fields["shares"]), Options(**fields["options"])
        return cls(**{**fields, "applications": tuple(fields["applications"])})
