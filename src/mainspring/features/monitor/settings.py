"""Settings of what watches the traffic: alerts and who gets them, drift, judged answers, service level objectives."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from mainspring.core.settings.section import Section

JudgedStratum = Literal["refusal", "down"]
RuleName = Literal["latency", "errors", "cost", "quality", "safety", "drift", "slo", "lake"]
RULES: tuple[RuleName, ...] = ("latency", "errors", "cost", "quality", "safety", "drift", "slo", "lake")
_DAY_S = 86_400.0
_Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class LatencyRule(Section):
    """p95 of the time to the first text and of the whole answer: above a limit in seconds, or above ``ratio`` times the
    earlier value and by ``least_s`` (ratio 0: no comparison)."""

    enabled: bool = True
    ttft_s: float | None = Field(None, gt=0)
    total_s: float | None = Field(None, gt=0)
    ratio: float = Field(2.0, ge=0)
    least_s: float = Field(0.25, ge=0)


class ErrorsRule(Section):
    """The share of requests that fail by the server's fault."""

    enabled: bool = True
    share: float = Field(0.05, gt=0, le=1)


class CostRule(Section):
    """The cost of a request: ``ratio`` times the earlier cost, and ``least_usd`` more in the window. Anomalous hourly
    costs (``prices.anomaly_usd``) are reported as well."""

    enabled: bool = True
    ratio: float = Field(2.0, gt=1)
    least_usd: float = Field(0.01, ge=0)


class QualityRule(Section):
    """Shares of ratings that are thumbs down, of questions refused for lack of support, and of written sentences that
    no passage supports: above the share of the time before by ``more``, beyond chance. Means of what judged answers
    score: below that of the time before by ``less``, beyond chance; or below their ``floors``, by measure."""

    enabled: bool = True
    more: float = Field(0.15, gt=0, lt=1)
    less: float = Field(0.1, gt=0, lt=1)
    floors: dict[str, float] = Field(default_factory=dict)

    @field_validator("floors")
    @classmethod
    def _scores(cls, floors: dict[str, float]) -> dict[str, float]:
        for measure, floor in floors.items():
            if not 0 < floor < 1:
                raise ValueError(f"the floor of {measure} must be between 0 and 1")
        return floors


class JudgingSettings(Section):
    """Live answers that are judged in the background: a ``share`` of each application's, of those that ``applications``
    names another, and of applications with a share all of the ``certain`` strata. Judging waits until there are no
    requests; ``queue`` answers can wait, and further ones are dropped.

    The judge uses embeddings, or ``model``, a chat model marked as grounded, with one call for each claim, each of the
    first ``passages`` and the answer. ``scorers`` of experiments score the answers, too, each as ``NAME:OPTION=VALUE``
    under a name of your choice. ``consented``: only requests that may be used for learning are judged.
    """

    share: float = Field(0.0, ge=0, le=1)
    applications: dict[str, float] = Field(default_factory=dict)
    model: str = Field("", description="chat model that judges; empty: embeddings")
    certain: tuple[JudgedStratum, ...] = Field(
        ("refusal", "down"), description="strata that are judged in full: refusals, answers with a thumbs-down"
    )
    metrics: tuple[str, ...] = Field((), description="metrics of plugins that also score answers")
    scorers: dict[_Label, str] = Field(
        default_factory=dict, description="scorers that also score answers, by the measure's name: judge:judge=NAME"
    )
    queue: int = Field(64, ge=1, le=10_000)
    passages: int = Field(8, ge=1, le=50)
    consented: bool = False

    @field_validator("applications")
    @classmethod
    def _shares(cls, applications: dict[str, float]) -> dict[str, float]:
        for name, share in applications.items():
            if not 0 <= share <= 1:
                raise ValueError(f"the share of {name} must be between 0 and 1")
        return applications

    @property
    def wanted(self) -> bool:
        """Whether any answers are judged."""
        return self.share > 0 or any(self.applications.values())

    def share_of(self, application: str) -> float:
        """The share of an application's answers that are judged."""
        return self.applications.get(application, self.share)


class SafetyRule(Section):
    """Leaks that guards stopped in answers (credentials, system prompts, canaries), and the share of requests that
    guards refuse: above that of the time before by ``more``, beyond chance."""

    enabled: bool = True
    leaks: int = Field(1, ge=1)
    more: float = Field(0.1, gt=0, lt=1)


class LakeRule(Section):
    """Problems that the lake finds in itself. Its limits are in ``lake.alerts``."""

    enabled: bool = True
    every_s: float = Field(60.0, gt=0, description="seconds between two checks")


class DriftSettings(Section):
    """Whether the traffic of the last ``window_s`` differs from that of the ``reference_s`` before.

    ``least`` and ``reference_least`` are the minimum numbers of requests on either side. ``psi`` and ``ks`` are the
    smallest reported effect; ``p_value`` is the significance level. Questions are embedded in the background, at most
    ``embed_per_hour`` of an application (0: none), while no engine works.
    """

    enabled: bool = True
    every_s: float = Field(60.0, gt=0)
    window_s: float = Field(21_600.0, gt=0)
    reference_s: float = Field(7 * _DAY_S, gt=0)
    least: int = Field(100, ge=20)
    reference_least: int = Field(300, ge=20)
    psi: float = Field(0.2, gt=0)
    ks: float = Field(0.15, gt=0, lt=1)
    p_value: float = Field(1e-4, gt=0, lt=0.1)
    embed_per_hour: int = Field(120, ge=0)
    block: int = Field(20, ge=5, description="number of questions per stored mean vector")


class Objective(Section):
    """A service level objective of some applications (``*``: of each by itself): the target share of good requests.
    A good request: for ``availability``, not failed through the server's fault; for ``latency``, answered within
    ``under_s`` (its first text with ``measure: ttft``); for ``quality``, not rated down."""

    kind: Literal["availability", "latency", "quality"] = "availability"
    applications: tuple[str, ...] = Field(("*",), min_length=1)
    target: float = Field(0.995, gt=0, lt=1)
    under_s: float | None = Field(None, gt=0)
    measure: Literal["total", "ttft"] = "total"

    @model_validator(mode="after")
    def _latency_has_a_limit(self) -> Objective:
        if (self.kind == "latency") != (self.under_s is not None):
            raise ValueError("objectives of kind latency need under_s, and other kinds must not set it")
        return self


class Webhook(Section):
    """Where alerts are posted, signed with ``secret``; of ``tenants`` and ``rules`` (empty: all)."""

    url: str = Field(pattern=r"^https?://\S+$")
    secret: str = Field("", repr=False)
    tenants: tuple[str, ...] = ()
    rules: tuple[RuleName, ...] = ()
    timeout_s: float = Field(10.0, gt=0)

    @field_validator("url")
    @classmethod
    def _has_a_host(cls, value: str) -> str:
        try:
            if urlsplit(value).hostname:
                return value
        except ValueError:
            pass
        raise ValueError("url is not a valid URL with a host")


_Address = Annotated[str, Field(pattern=r"^([^@\x00-\x1f]+@[^@\x00-\x1f]+)?$")]


class EmailSettings(Section):
    """The mail server that alerts are sent through (no host: no mail); of ``tenants`` and ``rules`` (empty: all)."""

    host: str = ""
    port: int = Field(587, gt=0, lt=65_536)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = Field("", repr=False)
    sender: _Address = ""
    to: tuple[_Address, ...] = ()
    tenants: tuple[str, ...] = ()
    rules: tuple[RuleName, ...] = ()
    timeout_s: float = Field(20.0, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> EmailSettings:
        if self.host and not (self.sender and self.to):
            raise ValueError("monitor.email needs sender and to beside host")
        return self


class MonitorSettings(Section):
    """Settings of the monitor. The watcher looks every ``every_s`` at the last ``window_s``.

    A rule needs ``least`` requests in the window and ``baseline_least`` in the ``baseline_s`` before. A condition that
    holds for ``for_s`` raises its alert; one that is gone for ``clear_s`` clears it. Alerts of one application within
    ``group_s`` are reported together, and again every ``repeat_s`` until somebody acknowledges them (0: once).
    """

    enabled: bool = True
    every_s: float = Field(15.0, gt=0)
    bucket_s: int = Field(
        60, ge=1, le=3600, description="seconds of a step for the latest hours; older counts are hourly"
    )
    window_s: float = Field(300.0, gt=0)
    least: int = Field(20, ge=1)
    baseline_s: float = Field(7 * _DAY_S, gt=0)
    baseline_least: int = Field(200, ge=1)
    for_s: float = Field(60.0, ge=0)
    clear_s: float = Field(300.0, ge=0)
    group_s: float = Field(15.0, ge=0)
    repeat_s: float = Field(14_400.0, ge=0)
    keep_days: float = Field(35.0, ge=1)
    lease_s: float = Field(30.0, ge=1)
    runbooks: str = Field("docs/operate/runbooks.md", description="address of the runbooks page")
    latency: LatencyRule = Field(default_factory=LatencyRule)
    errors: ErrorsRule = Field(default_factory=ErrorsRule)
    cost: CostRule = Field(default_factory=CostRule)
    quality: QualityRule = Field(default_factory=QualityRule)
    safety: SafetyRule = Field(default_factory=SafetyRule)
    drift: DriftSettings = Field(default_factory=DriftSettings)
    lake: LakeRule = Field(default_factory=LakeRule)
    judging: JudgingSettings = Field(default_factory=JudgingSettings)
    slos: dict[str, Objective] = Field(default_factory=lambda: {"availability": Objective()})
    webhooks: dict[str, Webhook] = Field(default_factory=dict)
    email: EmailSettings = Field(default_factory=EmailSettings)


SECTIONS = {"monitor": MonitorSettings}
