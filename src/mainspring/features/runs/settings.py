"""Settings of runs of agents."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class RunsSettings(Section):
    """Runs of agents."""

    parallel: int = Field(4, ge=1, description="runs in the background that this process works on at once")
    per_tenant: int = Field(1_000, ge=1, description="runs of a tenant that may be queued or running")
    lease_s: float = Field(15.0, gt=0, description="seconds after which another process resumes the run of a dead one")
    poll_s: float = Field(1.0, gt=0, description="seconds between two checks for runs that can continue")
    attempts: int = Field(20, ge=1, description="restarts of a run before it is given up")
    timeout_s: float = Field(604_800.0, gt=0, description="default time limit of a background run in seconds")
    finish_s: float = Field(
        10.0, ge=0, description="seconds that a tool with an effect gets to finish when its run is stopped"
    )
    approval_s: float = Field(86_400.0, gt=0, description="default seconds for which a call waits for approval")
    max_input: int = Field(
        16_384, ge=0, description="maximum bytes of a step's stored input; for longer inputs, only the digest is stored"
    )
    max_steps: int = Field(10_000, ge=1, description="maximum steps of one run")
    retention_days: float = Field(
        30.0, ge=0, description="days for which a finished run is kept after its last change; 0: for ever"
    )


SECTIONS = {"runs": RunsSettings}
