"""The router ``auto`` with other weights or thresholds."""

from __future__ import annotations

import dataclasses

from pydantic import ValidationError

from mainspring.core.errors import InvalidRequest, SettingsError
from mainspring.core.settings import AutoSettings
from mainspring.features.variants.values import RouterValue
from mainspring.serving.route.auto import Auto, packaged
from mainspring.serving.route.auto.classifier import COUNTS, Classifier
from mainspring.serving.route.auto.routing_payoff import why_off

_BY_CLASSIFIER = ("classifier", "hybrid")


def routed(auto: Auto, value: RouterValue) -> Auto:
    """``auto`` as the value has it. Raises ``InvalidRequest`` with the reason why it cannot choose so."""
    if auto.small == auto.large:
        raise InvalidRequest("auto has one model here, so that there is nothing to choose", param="candidate.value")
    settings = _settings(auto.settings, value)
    classifier = auto.classifier
    if value.weights:
        try:
            classifier = Classifier.of(value.weights, "value.weights")
        except SettingsError as error:
            raise InvalidRequest(error.message, remedy=error.remedy, param="candidate.value.weights") from None
    elif settings.policy in _BY_CLASSIFIER and classifier is None:
        classifier = packaged()
    if settings.policy in _BY_CLASSIFIER:
        assert classifier is not None
        _check(auto, classifier)
    if reason := why_off(settings, auto.small, auto.large, classifier):
        raise InvalidRequest(
            f"the router would be off ({reason}): the large model would answer everything",
            remedy="Fit weights for the small model with `mainspring routes train`, or name a policy",
            param="candidate.value",
        )
    return dataclasses.replace(auto, settings=settings, classifier=classifier, off="")


def _settings(before: AutoSettings, value: RouterValue) -> AutoSettings:
    names = ("policy", "try_small_above", "sure_above", "sure_below", "accept_above")
    given = {name: getattr(value, name) for name in names if getattr(value, name) is not None}
    if value.weights and "policy" not in given and before.policy not in _BY_CLASSIFIER:
        # Weights that no policy asks would change nothing.
        given["policy"] = "classifier"
    # Made anew, so that it knows what was set.
    known = {name: getattr(before, name) for name in before.model_fields_set}
    try:
        return AutoSettings.model_validate({**known, **given})
    except ValidationError as error:
        told = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"the router's thresholds do not fit: {told}", param="candidate.value") from None


def _check(auto: Auto, classifier: Classifier) -> None:
    embedder = "" if auto.embedder is None else auto.embedder.name
    if classifier.embedder != embedder:
        raise InvalidRequest(
            f"the weights were fitted on embeddings of {classifier.embedder:.100}, and {embedder} is served",
            remedy="Fit them with `mainspring routes train`",
            param="candidate.value.weights",
        )
    if auto.embedder is not None and len(classifier.weights) != auto.embedder.dimensions + len(COUNTS):
        raise InvalidRequest(
            f"{len(classifier.weights)} weights do not fit embeddings of {auto.embedder.dimensions} numbers",
            remedy="Fit them with `mainspring routes train`",
            param="candidate.value.weights",
        )
