"""Settings of training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class TrainSettings(Section):
    """Training jobs and the versions that they make (docs/guides/training.md)."""

    python: str = Field("", description="the interpreter that trains; empty: the server's own")
    parallel: int = Field(1, ge=1, description="runs that this process works on at once")
    per_tenant: int = Field(20, ge=1, description="jobs of a tenant that may be queued, waiting, paused or running")
    kept: int = Field(1_000, ge=1, description="jobs of a tenant that are kept")
    versions: int = Field(1_000, ge=1, description="versions of a tenant that are kept")
    conversions: int = Field(2, ge=1, description="versions that are converted at once to be served")
    served: int = Field(8, ge=1, description="versions of a tenant that answer at once; each is an engine in memory")
    rows: int = Field(1_000_000, ge=1, description="rows of a run's data")
    bytes: int = Field(2 * 2**30, ge=1024, description="bytes of a run's data")
    tenant_bytes: int = Field(
        100 * 2**30, ge=1024, description="bytes of the disk that a tenant's jobs and versions may take"
    )
    failed_days: float = Field(
        7.0,
        ge=0,
        description="days after which the rows and checkpoints of a failed job go; those of cancelled go at once",
    )
    row_bytes: int = Field(2**20, ge=64, description="bytes of one row")
    seconds: float = Field(86_400.0, gt=0, description="seconds that any run may take, pauses not counted")
    memory_mb: int = Field(
        0, ge=0, description="MB of memory that all processes of a run may take; 0: train.memory_share of the machine's"
    )
    memory_share: float = Field(0.75, gt=0, le=1, description="the share of the machine's memory that a run may take")
    processes: int = Field(1, ge=1, description="processes that a run may have")
    parameters: int = Field(
        500_000_000, ge=1, description="weights that a model may have which is made from nothing, as its options tell"
    )
    threads: int = Field(0, ge=0, description="threads of a run; 0: as its libraries choose")
    nice: int = Field(10, ge=0, le=19, description="how far a run steps back behind other processes")
    night: str = Field(
        "22:00-06:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="when runs that wait for the night work, in the time of the server's place",
    )
    asked: int = Field(5_000, ge=1, description="questions that a run may ask of what is served, such as prompt does")
    stop_s: float = Field(60.0, gt=0, description="seconds that a run has to save a checkpoint before it is ended")
    lease_s: float = Field(30.0, ge=1, description="seconds after which the work of a dead process is taken up")
    on_erasure: Literal["mark", "withdraw"] = Field(
        "mark", description="what becomes of versions that were made of erased rows: marked, or also out of service"
    )
    precision: Literal["int8", "int4"] = Field(
        "int8", description="the form in which chat versions are served; int4 needs the extra int4"
    )
    difference: float = Field(
        0.02, gt=0, lt=1, description="how far a converted version's scores may be from those of the trained one"
    )


SECTIONS = {"train": TrainSettings}
