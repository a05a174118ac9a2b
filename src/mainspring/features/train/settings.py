"""Settings of training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class TrainSettings(Section):
    """Training jobs and the versions that they make (docs/guides/training.md)."""

    python: str = Field("", description="the interpreter that trains; empty: the server's own")
    parallel: int = Field(1, ge=1, description="concurrent runs of this process")
    per_tenant: int = Field(20, ge=1, description="jobs of a tenant that may be queued, waiting, paused or running")
    kept: int = Field(1_000, ge=1, description="jobs of a tenant that are kept")
    versions: int = Field(1_000, ge=1, description="versions of a tenant that are kept")
    conversions: int = Field(2, ge=1, description="versions that are converted at once to be served")
    served: int = Field(8, ge=1, description="versions per tenant that are served at once; each is an engine in memory")
    rows: int = Field(1_000_000, ge=1, description="maximum rows of a run's data")
    bytes: int = Field(2 * 2**30, ge=1024, description="maximum bytes of a run's data")
    tenant_bytes: int = Field(
        100 * 2**30, ge=1024, description="maximum disk space of a tenant's jobs and versions in bytes"
    )
    failed_days: float = Field(
        7.0,
        ge=0,
        description="days after which the rows and checkpoints of a failed job are deleted; for cancelled jobs "
        "this happens at once",
    )
    row_bytes: int = Field(2**20, ge=64, description="maximum bytes of one row")
    seconds: float = Field(86_400.0, gt=0, description="maximum seconds of a run, without pauses")
    memory_mb: int = Field(
        0, ge=0, description="MB of memory that all processes of a run may take; 0: train.memory_share of the machine's"
    )
    memory_share: float = Field(0.75, gt=0, le=1, description="maximum share of the machine's memory for a run")
    processes: int = Field(1, ge=1, description="maximum processes of a run")
    parameters: int = Field(500_000_000, ge=1, description="maximum parameters of a model that is trained from scratch")
    threads: int = Field(0, ge=0, description="threads of a run; 0: chosen by its libraries")
    nice: int = Field(10, ge=0, le=19, description="niceness of a run's processes")
    night: str = Field(
        "22:00-06:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="hours in which night runs work, in the server's local time",
    )
    asked: int = Field(
        5_000, ge=1, description="maximum questions that a run, such as prompt, may ask served models and applications"
    )
    stop_s: float = Field(60.0, gt=0, description="seconds that a run has to save a checkpoint before it is ended")
    lease_s: float = Field(30.0, ge=1, description="seconds after which another process resumes the work of a dead one")
    on_erasure: Literal["mark", "withdraw"] = Field(
        "mark",
        description="what happens to versions that were made from erased rows: only marked, or also withdrawn "
        "from service",
    )
    precision: Literal["int8", "int4"] = Field(
        "int8", description="weight precision of served chat versions; int4 needs the extra int4"
    )
    difference: float = Field(
        0.02, gt=0, lt=1, description="maximum difference of scores between a converted version and the trained one"
    )


SECTIONS = {"train": TrainSettings}
