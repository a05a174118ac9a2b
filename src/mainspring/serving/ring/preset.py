"""Presets: sampling parameters by task, requested by name or set as a model's default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import resources
from typing import Any

from mainspring.core import yaml_files
from mainspring.core.errors import InvalidRequest, SettingsError
from mainspring.core.nearest import nearest
from mainspring.core.path import Layer
from mainspring.core.settings import Preset, ServingSettings
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Request,
    Responder,
    Response,
    Sampling,
)
from mainspring.core.variants import application_of

OPTION = "preset"
HEADER = "x-mainspring-preset"
_DRAWN = ("temperature", "top_p", "top_k", "min_p", "seed")


def builtin() -> dict[str, Preset]:
    """The presets that ship, by name."""
    text = resources.files("mainspring.serving.ring").joinpath("presets.yaml").read_text(encoding="utf-8")
    return {name: Preset.model_validate(values) for name, values in yaml_files.load(text).items()}


class Presets:
    """Every preset by name, and the names that models and applications have by default.

    Raises ``SettingsError`` if a default names no preset.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.named: Mapping[str, Preset] = {**builtin(), **settings.presets}
        self.defaults: Mapping[str, str] = settings.default_presets
        for model, name in self.defaults.items():
            if name not in self.named:
                raise SettingsError(
                    f"serving.default_presets.{model}: there is no preset {name!r}", remedy=self._hint(name)
                )

    def find(self, name: object) -> Preset:
        """The preset. Raises ``InvalidRequest`` naming the nearest one."""
        if not isinstance(name, str) or name not in self.named:
            raise InvalidRequest(
                f"there is no preset {name!r}", remedy=self._hint(str(name)), param=f"options.{OPTION}"
            )
        return self.named[name]

    def _hint(self, name: str) -> str:
        close = nearest(name, self.named)
        return f"Did you mean {close}?" if close else f"There are: {', '.join(self.named)}"


class ApplyPreset(Layer):
    """Fills unset parameters of a request: from ``options.preset``, else from its model's default preset.

    The request's own values have priority. Beams and sampling exclude each other: the request's own choice wins.
    """

    def __init__(self, inner: Responder, presets: Presets) -> None:
        super().__init__(inner)
        self._presets = presets

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest | CompletionRequest):
            return await self.inner.respond(request, context)
        name: Any = self._presets.defaults.get(application_of(request.model))
        if isinstance(request, ChatRequest) and OPTION in request.options:
            # Applications refuse options that they do not know.
            options = {key: value for key, value in request.options.items() if key != OPTION}
            name = request.options[OPTION]
            request = dataclasses.replace(request, options=options)
        if name is None:
            return await self.inner.respond(request, context)
        sampling = applied(self._presets.find(name), request.sampling)
        response = await self.inner.respond(dataclasses.replace(request, sampling=sampling), context)
        return response.with_head(headers={**response.head.headers, HEADER: name})


def applied(preset: Preset, sampling: Sampling) -> Sampling:
    """``sampling`` with unset values from ``preset``."""
    values: dict[str, Any] = dict(preset.parameters())
    if sampling.beams > 1:
        values = {name: value for name, value in values.items() if name not in (*_DRAWN, "beams")}
    elif any(getattr(sampling, name) is not None for name in _DRAWN) or sampling.grammar is not None:
        values.pop("beams", None)
    unset = {name: value for name, value in values.items() if name == "beams" or getattr(sampling, name) is None}
    return dataclasses.replace(sampling, **unset)
