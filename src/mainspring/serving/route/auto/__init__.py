"""The model ``auto``: rules, a classifier, a cascade or both choose between a small and a large chat model."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib.resources import as_file, files

from mainspring.core.errors import SettingsError
from mainspring.core.settings import AutoSettings
from mainspring.core.types import Context
from mainspring.engines.base import Embedder
from mainspring.serving.money.pricing import Tariff
from mainspring.serving.ring.ports import Tracing
from mainspring.serving.route.auto.classifier import Classifier
from mainspring.serving.route.auto.confidence import Agreement, AnswerJudge, Confidence, Format, Logprob
from mainspring.serving.route.auto.responder import NAME, Auto, ChargedEmbedders, RoutedModel
from mainspring.serving.route.auto.routing_payoff import why_off
from mainspring.telemetry.metrics import Metrics

__all__ = ["NAME", "Auto", "RoutedModel", "make", "packaged"]


def make(
    settings: AutoSettings,
    models: Mapping[str, RoutedModel],
    *,
    default_output: int,
    tracing: Tracing,
    metrics: Metrics,
    embedder: Embedder,
    charging: ChargedEmbedders | None,
    permits: Callable[[str, Context], bool] = lambda _model, _context: True,
    tariff: Callable[[str], Tariff] = lambda _model: Tariff.unknown(),
) -> Auto | None:
    """The router over ``models`` in their configured order; None if there are none. Where routing does not pay
    (``why_off``) it answers with the large one.

    Raises ``SettingsError`` for names that are not served, a damaged classifier, or one of another embedder.
    """
    if not models:
        return None
    names = list(models)
    small, large = settings.small or names[0], settings.large or names[-1]
    used = {small, large, *(rule.use for rule in settings.rules if rule.use not in ("small", "large"))}
    if settings.confidence == "judge" and settings.judge:
        used.add(settings.judge)
    for name in sorted(used):
        _check(name, names)
    classifier = None
    if settings.policy in ("classifier", "hybrid") and small != large:
        classifier = Classifier.load(settings.classifier) if settings.classifier else packaged()
        if classifier.embedder != embedder.name:
            raise SettingsError(
                f"serving.auto.classifier was fitted on embeddings of {classifier.embedder}, not of {embedder.name}",
                remedy="Fit one with `mainspring routes train`",
            )
    off = why_off(settings, small, large, classifier)
    return Auto(
        settings,
        {name: models[name] for name in names if name in used},
        small,
        large,
        default_output,
        tracing,
        metrics,
        _signal(settings, models, small, large, bool(off)),
        classifier,
        embedder,
        charging,
        permits,
        tariff=tariff(large),
        off=off,
    )


def packaged() -> Classifier:
    """The classifier in the package; its card describes its training data and its quality."""
    with as_file(files("mainspring.serving.route.auto") / "router.json") as path:
        return Classifier.load(path)


def _signal(settings: AutoSettings, models: Mapping[str, RoutedModel], small: str, large: str, off: bool) -> Confidence:
    model = models[small]
    if settings.confidence == "format" or small == large:
        return Format()
    if settings.confidence == "agreement":
        return Agreement(model.responder, samples=settings.samples)
    if settings.confidence == "judge":
        judge = models[settings.judge or large]
        return AnswerJudge(judge.responder, judge.name, logprobs=judge.capabilities.logprobs is not None)
    if model.capabilities.logprobs is None and off:
        return Format()
    if model.capabilities.logprobs is None and settings.policy in ("cascade", "hybrid"):
        raise SettingsError(
            f"serving.auto.confidence is logprob and {small} tells no log-probabilities",
            remedy="Set it to agreement, format or judge",
        )
    return Logprob()


def _check(name: str, names: list[str]) -> None:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        remedy = f"Did you mean {close[0]}?" if close else f"Served are {', '.join(names)}"
        raise SettingsError(f"serving.auto names the chat model {name}, which is not served", remedy=remedy)
