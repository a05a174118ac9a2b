"""Settings of the stores."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section


class StoresSettings(Section):
    """Where state lives. ``database`` is an SQLAlchemy URL; empty means SQLite under ``home``. ``vectors`` is where
    chunks live: in files under ``home`` (lance), or in the same Postgres as the rest, which needs pgvector. ``cache``
    is where answers are kept: in memory and a file under ``home``, or in ``redis``, which several servers may share."""

    database: str = ""
    vectors: str = Field("lance", description="lance, postgres, or the store of a plugin")
    redis: str = Field("", repr=False, description="redis://user:password@host:6379/0; empty: none")
    cache: str = Field("file", description="file, redis, or the cache of a plugin")
    disk_reserve_mb: int = Field(
        256,
        ge=0,
        description="MiB that must be free on the home's disk to add documents, and a quarter of it to answer",
    )
    durability: Literal["power", "process"] = Field(
        "power",
        description="acknowledged facts survive a loss of power (synced to disk), or only the death of the process",
    )
    cache_entries: int = Field(10_000, gt=0)
    cache_ttl_s: float = Field(86_400.0, gt=0)
    credentials_key: str = Field(
        "",
        repr=False,
        description="encrypts credentials: 32 bytes in base64, older keys after commas; empty: the key file",
    )
    credentials_key_file: Path | None = Field(None, description="file of that key; default: credentials.key under home")

    @model_validator(mode="after")
    def _redis_is_named(self) -> StoresSettings:
        if self.cache == "redis" and not self.redis:
            raise ValueError("cache is redis, but stores.redis is empty")
        return self
