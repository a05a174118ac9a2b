"""Settings of runs of agents."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class RunsSettings(Section):
    """Runs of agents."""

    parallel: int = Field(4, ge=1, description="runs in the background that this process works on at once")
    per_tenant: int = Field(1_000, ge=1, description="runs of a tenant that may be queued or running")
    lease_s: float = Field(15.0, gt=0, description="seconds after which the run of a dead process is taken up")
    poll_s: float = Field(1.0, gt=0, description="seconds between two looks for runs that can go on")
    attempts: int = Field(20, ge=1, description="times that a run is begun again before it is given up")
    timeout_s: float = Field(
        604_800.0, gt=0, description="seconds that a run in the background may take if its request does not say"
    )
    finish_s: float = Field(
        10.0, ge=0, description="seconds that a tool with an effect may go on for when its run is stopped"
    )
    approval_s: float = Field(
        86_400.0, gt=0, description="seconds that a call waits for approval if its agent does not say"
    )
    max_input: int = Field(
        16_384, ge=0, description="bytes of a step's input that are kept; of longer ones the digest is"
    )
    max_steps: int = Field(10_000, ge=1, description="steps of one run")
    retention_days: float = Field(
        30.0, ge=0, description="days since the last change of a run that is over; 0: for ever"
    )


SECTIONS = {"runs": RunsSettings}
