"""A policy: what is watched, what is tried, what must get better, what may not get worse, and how fast."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from mainspring.http.bodies import Body, Free, Name
from mainspring.training.ports import CandidateKind

_MOST_RUNGS = 8
_OF_DATA_SETS = "sft"
_MONTH_S = 31 * 86_400.0
Seconds = Annotated[float, Field(ge=0, le=366 * 86_400.0)]
Share = Annotated[float, Field(gt=0, le=1)]
Worse = Annotated[float, Field(ge=0, le=10)]


class Watch(Body):
    """What begins a campaign; whichever comes first. Without any of them people begin campaigns alone."""

    feedback: Annotated[
        int | None, Field(ge=1, le=10_000_000, description="start after this much feedback since the last campaign")
    ] = None
    drift: Annotated[bool, Field(description="start when a drift alert fires")] = False
    every_s: Annotated[
        float | None, Field(ge=60, le=366 * 86_400.0, description="start this long after the last campaign")
    ] = None


class Data(Body):
    """What is trained on: an export of the lake, a data set that is kept, or the ``edits`` that an application keeps in
    a form of its own. ``export`` has the fields of ``POST /v1/lake/exports``; without ``applications`` it is this
    one's."""

    export: Annotated[Free | None, Field(description="fields of an export")] = None
    dataset: Annotated[str, Field(max_length=128)] = ""
    version: int | Annotated[str, Field(max_length=64)] | None = None
    edits: Annotated[bool, Field(description="edits of translations, or sent mails: of translate and compose")] = False
    least_rows: Annotated[int, Field(ge=1, le=10_000_000, description="minimum number of rows for training")] = 20

    @model_validator(mode="after")
    def _one(self) -> Data:
        if [self.export is not None, bool(self.dataset), self.edits].count(True) != 1:
            raise ValueError("export: name an export, a dataset, or edits, and only one of them")
        return self

    @property
    def kind(self) -> str:
        """The kind of its rows; empty: that of the application's edits."""
        return "" if self.edits else _OF_DATA_SETS if self.export is None else str(self.export.get("kind", ""))


class Rung(Body):
    """A recipe that is tried. ``kind``: what of the application it makes another one of."""

    recipe: Name
    kind: CandidateKind
    options: Annotated[Free, Field(default_factory=dict)]
    base: Annotated[str, Field(max_length=256, description="a pulled model or a version")] = ""
    data: Data | None = None
    seconds: Annotated[
        float | None, Field(gt=0, le=_MONTH_S, description="time limit of training; the best checkpoint so far is kept")
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


class Score(Body):
    """A scorer by its name and options, see ``GET /v1/scorers``."""

    name: Name
    options: Annotated[Free, Field(default_factory=dict)]

    def wanted(self, label: str, threshold: float | None = None) -> dict[str, Any]:
        """As an experiment takes it."""
        return {"name": self.name, "options": dict(self.options), "label": label, "threshold": threshold}


class Gain(Score):
    """What must get better: the mean of a scorer by ``effect`` or more, with an interval that excludes zero."""

    effect: Annotated[float, Field(ge=0, lt=1, description="least gain")] = 0.0


class Guardrail(Body):
    """What may not get worse by more than ``worse_by``: a scorer's mean, or, as a share of the current one's, the
    median time of an answer (``latency``) or its cost; or the share of answers that fail.

    ``shown``: it must be shown not to be (the interval of a score lies above ``-worse_by``). Else it is refused if it
    is worse by more than that on the examples.
    """

    measure: Literal["score", "latency", "cost", "failed"] = "score"
    scorer: Score | None = None
    worse_by: Worse = 0.02
    shown: bool = False

    @model_validator(mode="after")
    def _scored(self) -> Guardrail:
        if (self.measure == "score") != (self.scorer is not None):
            raise ValueError("scorer: a score has one, and nothing else does")
        return self

    @property
    def told(self) -> str:
        """``latency``, ``score refusal``."""
        return self.measure if self.scorer is None else f"score {self.scorer.name}"


class Slices(Body):
    """No slice of these tags may lose more than ``worse_by`` of what must get better, if it has ``least`` examples and
    the interval of its loss excludes zero."""

    tags: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=12, fail_fast=True)]
    worse_by: Worse = 0.05
    least: Annotated[int, Field(ge=2, le=1_000_000)] = 20


class Regression(Score):
    """A list that must not fall: at most ``lost`` of its examples that pass now may fail then. An example passes from
    ``threshold`` on."""

    dataset: Annotated[str, Field(min_length=1, max_length=128)]
    version: int | Annotated[str, Field(max_length=64)] | None = None
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    lost: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class RedTeam(Body):
    """Attacks: ``most`` of each kind. The candidate may let ``more`` through than the current one does, and refuse
    ``refused`` more of the harmless texts, as a share."""

    most: Annotated[int, Field(ge=1, le=500)] = 10
    more: Annotated[int, Field(ge=0, le=1000)] = 0
    refused: Annotated[float, Field(ge=0, le=1)] = 0.05


class Offline(Body):
    """The comparison with what is current on examples that nothing was trained on. ``alpha`` is shared out among the
    rungs."""

    dataset: Annotated[str, Field(min_length=1, max_length=128)]
    version: int | Annotated[str, Field(max_length=64)] | None = None
    gain: Gain
    kept: Annotated[list[Guardrail], Field(default_factory=list, max_length=12, fail_fast=True)]
    slices: Slices | None = None
    regression: Regression | None = None
    red_team: RedTeam | None = None
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


class Shadow(Body):
    """Copies of requests, whose answers nobody sees, for ``seconds``. It is refused if more than ``failed`` of them
    fail beyond doubt."""

    share: Share = 0.2
    seconds: Seconds = 3600.0
    failed: Annotated[float, Field(ge=0, le=1)] = 0.05


class Canary(Body):
    """A share of the traffic, which grows by ``steps``, each after ``step_s`` without a broken guard. ``metric``,
    ``guards`` and ``alpha`` are those of a trial (``POST /v1/trials``). Not decided after ``longest_s`` or ``units``
    of each arm is a refusal."""

    steps: Annotated[list[Share], Field(min_length=1, max_length=8, fail_fast=True, default_factory=lambda: [0.1, 0.5])]
    step_s: Seconds = 3600.0
    longest_s: Seconds = 14 * 86_400.0
    units: Annotated[int | None, Field(ge=10, le=10_000_000)] = None
    metric: Annotated[Free, Field(default_factory=lambda: {"source": "feedback"})]
    guards: Annotated[list[Free], Field(default_factory=list, max_length=8, fail_fast=True)]
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    @model_validator(mode="after")
    def _grows(self) -> Canary:
        if sorted(self.steps) != self.steps:
            raise ValueError("steps: each share must be larger than the one before it")
        return self


class After(Body):
    """The watch after a promotion, for ``seconds``: it is undone if thumbs up, failures or refusals are worse than
    those of the one before by more than so much (shares), beyond doubt (``alpha``)."""

    seconds: Seconds = 86_400.0
    thumbs: Annotated[float, Field(gt=0, le=1)] = 0.03
    failed: Annotated[float, Field(gt=0, le=1)] = 0.02
    refused: Annotated[float, Field(gt=0, le=1)] = 0.05
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


class Budget(Body):
    """The limit of training in a month of 31 days; None: no limit."""

    seconds: Annotated[float | None, Field(ge=0, le=_MONTH_S)] = None
    usd: Annotated[float | None, Field(ge=0, le=1e6)] = None


class Policy(Body):
    """What is wanted for one application. ``rungs`` are tried one after the other, the cheapest first; the first one
    that suffices wins, and later ones are not run."""

    watch: Annotated[Watch, Field(default_factory=Watch)]
    data: Data
    rungs: Annotated[list[Rung], Field(min_length=1, max_length=_MOST_RUNGS, fail_fast=True)]
    offline: Offline
    shadow: Shadow | None = None
    canary: Canary | None = None
    after: Annotated[After, Field(default_factory=After)]
    budget: Annotated[Budget, Field(default_factory=Budget)]
    night: Annotated[bool, Field(description="train only at night")] = False
    gate: Annotated[bool, Field(description="a person must approve before the candidate gets traffic")] = False
    gate_s: Annotated[float, Field(gt=0, le=90 * 86_400.0)] = 7 * 86_400.0
    cooldown_s: Annotated[Seconds, Field(description="pause after a campaign that promoted nothing")] = 86_400.0
    on_erasure: Annotated[
        Literal["withdraw", "retrain"], Field(description="what happens to variants that contain data of erased people")
    ] = "withdraw"

    def data_of(self, rung: int) -> Data:
        """What a rung is trained on."""
        return self.rungs[rung].data or self.data

    @property
    def scorers(self) -> list[dict[str, Any]]:
        """Those of the comparison: ``gain``, then ``kept 1`` and so on by their places."""
        found = [self.offline.gain.wanted("gain")]
        for place, each in enumerate(self.offline.kept):
            if each.scorer is not None:
                found.append(each.scorer.wanted(f"kept {place + 1}"))
        return found


def first_problem(error: ValidationError) -> str:
    """The first thing that a stored policy lacks, with its field."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"[:300]


def stand_in(rungs: int) -> Policy:
    """For a policy that cannot be read: enough to take back what came of it, and to watch what was promoted."""
    rung = {"recipe": "unknown", "kind": "prompt"}
    offline = {"dataset": "unknown", "gain": {"name": "f1"}}
    wanted = {"data": {"dataset": "unknown"}, "rungs": [rung] * rungs, "offline": offline}
    return Policy.model_validate(wanted)
