"""Whether what a policy names is there and fits together: it is told when the policy is set, and not by a campaign that
has trained for hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mainspring.core.errors import Forbidden, InvalidRequest, MissingExtra, ModelNotPulled, NotFound, SettingsError
from mainspring.core.types import Principal
from mainspring.core.variants import split
from mainspring.features.improve.policy.policy import Data, Policy, Rung, Score
from mainspring.features.improve.stages.tools import Tools
from mainspring.training import recipes
from mainspring.training.ports import CandidateKind
from mainspring.training.recipe import Makes, Recipe

_FITTING: Mapping[CandidateKind, tuple[Makes, ...]] = {
    "model": ("chat", "adapter", "translator", "composer"),
    "prompt": ("prompt",),
    "examples": ("examples",),
    "answering": ("answering",),
    "reranker": ("reranker",),
    "reader": ("reader",),
    "router": ("router",),
    "judge": (),
}
_ANYTHING: Makes = "given"
_EXPORTED = frozenset(
    ("sft", "preference", "thumbs", "few-shot", "raft", "triplets", "rerank", "reader", "nli", "classification")
)
# Rows that come from files alone. A recipe of a plugin may read kinds that nobody here knows.
_KNOWN = _EXPORTED | {"text", "pairs"}


async def check(tools: Tools, principal: Principal, application: str, policy: Policy) -> None:
    """Raises ``InvalidRequest`` naming the field."""
    name, variant = split(application)
    if variant:
        remedy = f"Set the policy of {name}"
        raise InvalidRequest(f"{application:.100} is a variant itself", remedy=remedy, param="application")
    for number, rung in enumerate(policy.rungs):
        _check_rung(rung, policy.data_of(number), f"rungs.{number}", _edited(tools, application, policy, number))
        if (orders := tools.order_check) is not None:
            with _within(f"rungs.{number}"):
                await orders.check_order(principal, rung.recipe, rung.options, rung.base)
    if policy.budget.usd is not None and tools.settings.usd_per_hour <= 0:
        problem = "an hour of training has no price, so no sum bounds it"
        raise InvalidRequest(problem, remedy="Set improve.usd_per_hour, or bound the seconds", param="budget.usd")
    await _check_data(tools, principal, policy)
    _check_scores(tools, policy)
    if policy.canary is not None and (trials := tools.trial_check) is not None:
        wanted = policy.canary.model_dump(include={"metric", "guards", "alpha"})
        trials.check_trial(application, wanted)


def _edited(tools: Tools, application: str, policy: Policy, number: int) -> str:
    """The kind of the rows of the application's edits, if a rung learns from them. Raises ``InvalidRequest``."""
    if not policy.data_of(number).edits:
        return ""
    keeps = tools.edits(application)
    if keeps is None:
        place = "data" if policy.rungs[number].data is None else f"rungs.{number}.data"
        raise InvalidRequest(
            f"{application:.100} keeps no edits in a form of its own, as translate and compose do",
            remedy="Name an export of the kind preference, whose rows are edits", param=f"{place}.edits",
        )  # fmt: skip
    return keeps.edits_kind(application)


def _check_rung(rung: Rung, data: Data, place: str, edited: str) -> None:
    from mainspring.training.run import options_of

    try:
        recipe = recipes.find(rung.recipe)
    except NotFound as error:
        raise InvalidRequest(error.message, remedy=error.remedy, param=f"{place}.recipe") from None
    with _within(place):
        options_of(recipe, rung.options)
    _check_kind(recipe, rung.kind, place)
    if recipe.bases and not rung.base:
        kinds = " or ".join(recipe.bases)
        problem = f"the recipe {recipe.name} starts from a model of the kind {kinds}"
        raise InvalidRequest(problem, remedy="Name it", param=f"{place}.base")
    if rung.base and not recipe.bases:
        problem = f"the recipe {recipe.name} starts from nothing"
        raise InvalidRequest(problem, remedy="Leave the base out", param=f"{place}.base")
    kind = edited or data.kind
    if kind not in recipe.reads and (data.export is None or kind in _EXPORTED) and _KNOWN.issuperset(recipe.reads):
        rows = f"an export of the kind {kind}" if data.export is not None else f"a data set, whose rows are {kind},"
        rows = f"edits, whose rows are {kind}," if data.edits else rows
        read = " or ".join(recipe.reads)
        remedy = "Name another recipe" if _EXPORTED.isdisjoint(recipe.reads) else f"Export the kind {read}"
        remedy = "Write data: {edits: true}" if "pairs" in recipe.reads and not data.edits else remedy
        problem = f"the recipe {recipe.name} reads {read}, and cannot learn from {rows.rstrip(',')}"
        raise InvalidRequest(problem, remedy=remedy, param=f"{place}.{'data' if rung.data is not None else 'recipe'}")


def _check_kind(recipe: Recipe, kind: CandidateKind, place: str) -> None:
    if recipe.makes == _ANYTHING or recipe.makes in _FITTING[kind]:
        return
    fitting = [each for each, makes in _FITTING.items() if recipe.makes in makes]
    remedy = f"Write {' or '.join(fitting)}" if fitting else "No application uses such a thing: name another recipe"
    problem = f"the recipe {recipe.name} makes something of the kind {recipe.makes}, which is no {kind}"
    raise InvalidRequest(problem, remedy=remedy, param=f"{place}.kind")


async def _check_data(tools: Tools, principal: Principal, policy: Policy) -> None:
    wanted = policy.offline
    sets = [("offline.dataset", wanted.dataset, wanted.version)]
    if wanted.regression is not None:
        sets.append(("offline.regression.dataset", wanted.regression.dataset, wanted.regression.version))
    of_rungs = [(f"rungs.{number}.data", rung.data) for number, rung in enumerate(policy.rungs)]
    for place, data in [("data", policy.data), *of_rungs]:
        if data is None:
            continue
        if data.dataset:
            sets.append((f"{place}.dataset", data.dataset, data.version))
        elif data.export is not None and (exports := tools.export_check) is not None:
            with _within(f"{place}.export"):
                exports.check_export(principal, data.export)
    for place, name, version in sets:
        try:
            await tools.data.version(principal, name, version)
        except NotFound as error:
            raise InvalidRequest(error.message, remedy=error.remedy, param=place) from None


def _check_scores(tools: Tools, policy: Policy) -> None:
    wanted = policy.offline
    scores: list[tuple[str, Score]] = [("offline.gain", wanted.gain)]
    for number, kept in enumerate(wanted.kept):
        if kept.scorer is not None:
            scores.append((f"offline.kept.{number}.scorer", kept.scorer))
        elif kept.shown:
            problem = f"only a score is shown to be kept: {kept.measure} is compared as it was measured"
            raise InvalidRequest(problem, remedy="Leave shown out", param=f"offline.kept.{number}.shown")
    if wanted.regression is not None:
        scores.append(("offline.regression", wanted.regression))
    source = tools.scorers
    for place, each in scores if source is not None else ():
        assert source is not None
        try:
            source.scorer(each.name, each.options)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, remedy=error.remedy, param=place) from None


@contextmanager
def _within(place: str) -> Iterator[None]:
    """Errors name their field below ``place``."""
    try:
        yield
    except (Forbidden, MissingExtra, SettingsError) as error:
        error.param = f"{place}.{error.param}" if error.param else place
        raise
    except (InvalidRequest, NotFound, ModelNotPulled) as error:
        field = place if not error.param else f"{place}.{error.param}"
        raise InvalidRequest(error.message, remedy=error.remedy, param=field) from None
