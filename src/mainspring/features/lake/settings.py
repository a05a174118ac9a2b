"""Settings of the lake."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section
from mainspring.features.lake.exports.settings import ExportBounds
from mainspring.features.lake.steps.options import BuildSettings


class SqlBounds(Section):
    """Limits of one query over the lake."""

    seconds: float = Field(30.0, gt=0, description="seconds after which a query is stopped")
    memory_mb: int = Field(512, ge=64, description="MB of memory of a query")
    rows: int = Field(10_000, ge=1, description="rows of a result; more are cut off")
    bytes: int = Field(16 * 2**20, ge=1024, description="bytes of a result; more are cut off")
    at_once: int = Field(2, ge=1, description="queries of one tenant at a time in one server")


class NatsSettings(Section):
    """A NATS server with JetStream, to which a server publishes the facts of all events."""

    url: str = Field("", description="nats://host:4222; empty: nothing is published")
    credentials: str = Field("", description="path of a file with credentials")
    subject: str = Field("mainspring.events", min_length=1, description="prefix of subjects; tenant and kind follow")


class LakeAlerts(Section):
    """When the monitor raises an alert ``lake``. Rates are of the newest build against the median of those before."""

    waiting_s: float = Field(600.0, gt=0, description="seconds that an event waits for a lake that a server follows")
    volume: float = Field(0.5, ge=0, le=1, description="share of the usual interactions of that weekday")
    more: float = Field(
        0.1, gt=0, le=1, description="rise of the rate of personal data or duplicates, or fall of that of good answers"
    )
    latency_s: float | None = Field(
        None, gt=0, description="p95 of the seconds from an interaction to a build that has it; null: none"
    )
    least: int = Field(200, ge=1, description="interactions of a build, or of a day, below which nothing is compared")


class LakeSettings(Section):
    """Events as Parquet files, cleaned for training (docs/guides/lake.md)."""

    mode: Literal["batch", "stream", "hybrid"] = Field(
        "batch",
        description="batch: by commands only; stream: a server follows the events; hybrid: it also builds",
    )
    url: str = Field("", description="location of the files: a URL that fsspec can write; empty: `lake` under the home")
    every_s: float = Field(5.0, ge=0.2, description="seconds between two checks for new events")
    sweep_every_s: float = Field(
        3600.0, ge=1, description="seconds between two checks for rows whose text has been deleted"
    )
    batch: int = Field(20_000, ge=100, le=1_000_000, description="events per commit of files")
    lease_s: float = Field(
        30.0, ge=1, description="seconds after which another process follows the events for one that died"
    )
    builds: int = Field(1, ge=1, description="concurrent builds of one server, for all tenants")
    runner: Literal["local", "ray"] = Field("local", description="where the steps of a build run; ray: the extra `ray`")
    nats: NatsSettings = NatsSettings()
    sql: SqlBounds = SqlBounds()
    build: BuildSettings = BuildSettings()
    alerts: LakeAlerts = LakeAlerts()
    exports: ExportBounds = ExportBounds()


SECTIONS = {"lake": LakeSettings}
