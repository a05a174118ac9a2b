"""A LiteLLM proxy's configuration as settings of ours. Settings without a counterpart are listed, never dropped
silently.

Deployments of one ``model_name`` become a remote model with replicas, fallbacks and aliases become routes, references
``os.environ/X`` become ``env:X``. Source: LiteLLM's documented ``config.yaml`` (``model_list``, ``router_settings``,
``litellm_settings``, ``general_settings``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.litellm.providers import KEYS, NAMED_CHAT, NATIVE, OWN_ADDRESS, PLAIN, REGION, SAME_WIRE

# How LiteLLM writes a reference; nothing here reads the environment.
_REFERENCE = "os.environ/"
_STRATEGIES = {
    "simple-shuffle": "weighted",
    "least-busy": "least_tokens",
    "usage-based-routing": "least_tokens",
    "usage-based-routing-v2": "least_tokens",
    "latency-based-routing": "latency",
}
_NO_COUNTERPART = "has no counterpart here"
_REASONS = {
    "rpm": "an endpoint's own limit is respected when it answers 429; `concurrency` bounds what runs there",
    "tpm": "an endpoint's own limit is respected when it answers 429; `concurrency` bounds what runs there",
    "drop_params": "a parameter that a model cannot honour is refused by name, never dropped",
    "master_key": "keys are made with `mainspring keys create`; the first admin key is printed once",
    "database_url": "set `stores.database`; LiteLLM's tables are not read",
    "success_callback": "events, traces and metrics are built in; `telemetry.otlp_endpoint` exports traces",
    "failure_callback": "events, traces and metrics are built in; `telemetry.otlp_endpoint` exports traces",
    "callbacks": "events, traces and metrics are built in; `telemetry.otlp_endpoint` exports traces",
    "cache_params": "set `stores.cache`, `stores.redis` and `stores.cache_ttl_s`",
    "redis_host": "set `stores.redis`",
    "redis_port": "set `stores.redis`",
    "redis_password": "set `stores.redis`",
    "redis_url": "set `stores.redis`",
    "enable_pre_call_checks": "prompts are always checked against the window where it is known",
    "content_policy_fallbacks": "the caller gets a refusal of the content",
    "environment_variables": "set them in the environment; a value `env:NAME` reads one",
    "guardrails": "see `guards`",
}


@dataclass(slots=True)
class ImportedConfig:
    """``settings`` as ``mainspring.yaml`` holds them; ``notes`` are (place in the source, reason for its absence)."""

    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def note(self, place: str, reason: str = "") -> None:
        key = place.rpartition(".")[2]
        self.notes.append((place, reason or _REASONS.get(key, _NO_COUNTERPART)))

    def put(self, dotted: str, value: Any) -> None:
        *sections, key = dotted.split(".")
        target = self.settings
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value


def convert(document: Any) -> ImportedConfig:
    """The settings that are equivalent to ``document``, a parsed ``config.yaml``. Raises ``InvalidRequest`` for
    others."""
    if not isinstance(document, Mapping) or not isinstance(document.get("model_list"), list):
        raise InvalidRequest(
            "this is not a LiteLLM configuration: it has no model_list",
            remedy="Give the config.yaml that `litellm --config` reads",
        )
    found = ImportedConfig()
    models = _models(document["model_list"], found)
    if models:
        found.put("models.remote", models)
    routes = _Routes(models, found)
    for key, section in document.items():
        if key == "model_list":
            continue
        if key not in ("router_settings", "litellm_settings") or not isinstance(section, Mapping):
            _note_all(found, str(key), section)
            continue
        for name, value in section.items():
            _setting(found, routes, f"{key}.{name}", str(name), value)
    if made := routes.settings():
        found.put("serving.routes", made)
    return found


def _setting(found: ImportedConfig, routes: _Routes, place: str, name: str, value: Any) -> None:
    """One of ``router_settings`` or ``litellm_settings``."""
    match name:
        case "num_retries" if isinstance(value, int):
            found.put("serving.retries", value)
        case "timeout" | "request_timeout" if isinstance(value, int | float):
            found.put("gateway.request_timeout_s", float(value))
        case "allowed_fails" if isinstance(value, int):
            found.put("serving.balance.failures", value + 1)
        case "cooldown_time" if isinstance(value, int | float) and value > 0:
            found.put("serving.balance.cooldown_s", float(value))
            found.put("serving.balance.longest_cooldown_s", max(60.0, float(value)))
        case "routing_strategy" if value in _STRATEGIES:
            found.put("serving.balance.policy", _STRATEGIES[value])
        case "cache" if isinstance(value, bool):
            found.put("serving.cache_responses", value)
        case "fallbacks":
            routes.fallbacks(place, value, routes.failing)
        case "context_window_fallbacks":
            routes.fallbacks(place, value, routes.too_long)
        case "default_fallbacks":
            routes.default = routes.known(place, value)
        case "model_group_alias" if isinstance(value, Mapping):
            routes.alias(place, value)
        case _:
            _note_all(found, place, value)


class _Routes:
    """Fallbacks and aliases, collected before the routes are built."""

    def __init__(self, models: Mapping[str, Any], found: ImportedConfig) -> None:
        self._models = models
        self._found = found
        self._aliases: dict[str, str] = {}
        self.failing: dict[str, list[str]] = {}
        self.too_long: dict[str, list[str]] = {}
        self.default: list[str] = []

    def fallbacks(self, place: str, value: Any, into: dict[str, list[str]]) -> None:
        if not isinstance(value, list):
            self._found.note(place)
            return
        for index, each in enumerate(value):
            if not isinstance(each, Mapping):
                self._found.note(f"{place}.{index}")
                continue
            for model, others in each.items():
                here = f"{place}.{index}.{model}"
                if model == "*":
                    self.default = self.known(here, others)
                elif model in self._models:
                    into.setdefault(str(model), []).extend(self.known(here, others))
                else:
                    self._found.note(here, "that model was not imported")

    def known(self, place: str, names: Any) -> list[str]:
        """The imported ones of ``names``; the others are noted."""
        kept = []
        for name in names if isinstance(names, list) else [names]:
            if isinstance(name, str) and name in self._models:
                kept.append(name)
            else:
                self._found.note(f"{place}.{name if isinstance(name, str) else '?'}", "that model was not imported")
        return kept

    def alias(self, place: str, aliases: Mapping[Any, Any]) -> None:
        for name, target in aliases.items():
            model = target.get("model") if isinstance(target, Mapping) else target
            if model in self._models and name not in self._models:
                self._aliases[str(name)] = str(model)
            else:
                self._found.note(f"{place}.{name}", "that model was not imported")
            if isinstance(target, Mapping):
                _note_all(self._found, f"{place}.{name}", {k: v for k, v in target.items() if k != "model"})

    def settings(self) -> dict[str, Any]:
        names = {**{name: name for name in self._models}, **self._aliases}
        routes = {name: self._route(model) for name, model in names.items()}
        return {name: route for name, route in routes.items() if len(route) > 1 or name in self._aliases}

    def _route(self, model: str) -> dict[str, Any]:
        route: dict[str, Any] = {"arms": {"main": {"model": model}}}
        failing = self.failing.get(model) or [name for name in self.default if name != model]
        if failing:
            route["fallback"] = failing
        if self.too_long.get(model):
            route["context_fallback"] = self.too_long[model]
        return route


def _models(entries: Sequence[Any], found: ImportedConfig) -> dict[str, Any]:
    """Remote models by name, each with the deployments of that name as its replicas."""
    models: dict[str, Any] = {}
    for index, entry in enumerate(entries):
        place = f"model_list.{index}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("litellm_params"), Mapping):
            found.note(place, "it has no litellm_params")
            continue
        name = str(entry.get("model_name", ""))
        deployment = _deployment(entry, f"{place} ({name})", found)
        if deployment is None:
            continue
        if name not in models:
            models[name] = deployment
            continue
        own = {"url", "model", "api_key", "weight", "concurrency"}
        for key, value in deployment.items():
            if key not in own and models[name].get(key) != value:
                found.note(f"{place} ({name}).{key}", f"all replicas of a model share one: {models[name].get(key)}")
        replica = {key: value for key, value in deployment.items() if key in own}
        models[name].setdefault("replicas", []).append(replica)
    return models


def _deployment(entry: Mapping[str, Any], place: str, found: ImportedConfig) -> dict[str, Any] | None:
    parameters, info = dict(entry["litellm_params"]), dict(entry.get("model_info") or {})
    _note_all(found, place, {k: v for k, v in entry.items() if k not in ("model_name", "litellm_params", "model_info")})
    problem = _problem(str(entry.get("model_name", "")), parameters, info)
    if problem:
        found.note(place, problem)
        return None
    provider, model = _split(str(parameters.pop("model")))
    base = parameters.pop("api_base", None) or parameters.pop("base_url", None)
    key = parameters.pop("api_key", None)
    made = _native(provider, base, parameters) if provider in NATIVE.values() else {"url": _address(provider, base)}
    made["model"] = model
    if key is None and base is None and provider in KEYS:
        made["api_key"] = f"env:{KEYS[provider]}"
    elif key is not None:
        made["api_key"] = _value(key)
        if not str(key).startswith(_REFERENCE):
            found.note(f"{place}.api_key", "imported unchanged: the file now contains a secret; `env:NAME` is safer")
    _numbers(made, parameters, info)
    info.pop("mode", None)
    _note_all(found, place, parameters)
    _note_all(found, f"{place}.model_info", info)
    return made


def _native(provider: str, base: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """The start of a remote model that is asked in its provider's own format."""
    made: dict[str, Any] = {"provider": provider}
    if base is not None:
        made["url"] = _address(provider, base)
    if provider == "bedrock" and REGION in parameters:
        made["options"] = {"region_name": _value(parameters.pop(REGION))}
    return made


def _numbers(made: dict[str, Any], parameters: dict[str, Any], info: dict[str, Any]) -> None:
    """The limits, weights and prices of a deployment, removed from their original places."""
    moved = (
        (parameters, "weight", "weight", 1),
        (parameters, "max_parallel_requests", "concurrency", 1),
        (parameters, "stream_timeout", "first_token_timeout_s", 1),
        (parameters, "timeout", "first_token_timeout_s", 1),
        (info, "max_input_tokens", "context_window", 1),
        (info, "input_cost_per_token", "price_input", 1_000_000),
        (info, "output_cost_per_token", "price_output", 1_000_000),
        (parameters, "input_cost_per_token", "price_input", 1_000_000),
        (parameters, "output_cost_per_token", "price_output", 1_000_000),
    )
    for source, theirs, ours, factor in moved:
        value = source.get(theirs)
        if ours not in made and isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            made[ours] = round(source.pop(theirs) * factor, 9)


def _problem(name: str, parameters: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """Why a deployment cannot be imported; empty if it can."""
    model = parameters.get("model")
    if not name or not isinstance(model, str):
        return "it has no name or no model"
    if "*" in name or "*" in model:
        return "names are not matched by patterns here: name each model"
    if info.get("mode", "chat") not in ("chat", "completion", "responses"):
        return f"only chat models can be remote here, and its mode is {info['mode']}"
    provider, _ = _split(model)
    base = parameters.get("api_base") or parameters.get("base_url")
    if provider in OWN_ADDRESS and not base:
        return f"a model of {provider} needs api_base"
    if provider not in (*SAME_WIRE, *OWN_ADDRESS, *NATIVE.values()):
        return f"{provider or 'its provider'} does not speak OpenAI's wire format; put a proxy that does before it"
    return ""


def _split(model: str) -> tuple[str, str]:
    """(provider, name over there) of LiteLLM's ``provider/name``; without a provider the name decides, as there."""
    provider, slash, name = model.partition("/")
    if slash and provider in NATIVE:
        return NATIVE[provider], name
    if slash and provider in (*SAME_WIRE, *OWN_ADDRESS):
        return PLAIN.get(provider, provider), name
    if not slash:
        return next((owner for start, owner in NAMED_CHAT if model.startswith(start)), "openai"), model
    return provider, name


def _address(provider: str, given: Any) -> str:
    if given is None:
        return SAME_WIRE[provider]
    base = str(_value(given)).rstrip("/")
    if base.startswith("env:"):
        return base
    if provider == "azure":
        return base if base.endswith("/v1") else f"{base}/openai/v1"
    return f"{base}/v1" if provider == "ollama" and not base.endswith("/v1") else base


def _value(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_REFERENCE):
        return f"env:{value[len(_REFERENCE) :]}"
    return value


def _note_all(found: ImportedConfig, place: str, value: Any) -> None:
    """Note that ``value`` is not imported; for a mapping, each of its keys."""
    if isinstance(value, Mapping) and place.rpartition(".")[2] not in _REASONS:
        for name in value:
            found.note(f"{place}.{name}")
    elif value is not None:
        found.note(place)


def lines(imported: ImportedConfig) -> Iterator[str]:
    """The notes, a line each."""
    for place, reason in imported.notes:
        yield f"{place}: {reason}"
