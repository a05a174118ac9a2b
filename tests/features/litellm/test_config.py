"""A LiteLLM configuration as settings: what is carried over, and that nothing is dropped silently."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import Settings, references
from mainspring.features.litellm.config import convert

CONFIG = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, weight: 3, timeout: 20, rpm: 500}
    model_info: {id: first, max_input_tokens: 128000, input_cost_per_token: 0.0000025, output_cost_per_token: 0.00001}
  - model_name: gpt-4o
    litellm_params:
      model: azure/our-gpt-4o
      api_base: https://ours.openai.azure.com/
      api_key: os.environ/AZURE_API_KEY
      api_version: "2024-10-21"
      weight: 1
      max_parallel_requests: 8
  - model_name: claude
    litellm_params: {model: claude-3-5-haiku-latest, max_tokens: 100}
  - model_name: local
    litellm_params: {model: hosted_vllm/qwen3, api_base: os.environ/VLLM_BASE, api_key: sk-literal}
  - model_name: embed
    litellm_params: {model: openai/text-embedding-3-small}
    model_info: {mode: embedding}
  - model_name: bedrock
    litellm_params: {model: bedrock/anthropic.claude-v2, aws_region_name: us-east-1}
  - model_name: command
    litellm_params: {model: cohere_chat/command-a, weight: 2}
  - model_name: vertex
    litellm_params: {model: vertex_ai/gemini-pro}
  - model_name: "*"
    litellm_params: {model: "openai/*"}
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 3
  timeout: 90
  allowed_fails: 2
  cooldown_time: 30
  fallbacks: [{gpt-4o: [claude, embed]}, {nobody: [claude]}]
  context_window_fallbacks: [{local: [gpt-4o]}]
  model_group_alias: {gpt-4: gpt-4o, hidden: {model: claude, hidden: true}}
  redis_host: os.environ/REDIS_HOST
litellm_settings:
  drop_params: true
  cache: true
  default_fallbacks: [local]
  success_callback: [langfuse]
general_settings:
  master_key: sk-1234
  database_url: os.environ/DATABASE_URL
environment_variables: {A: b}
"""
ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-o",
    "AZURE_API_KEY": "sk-a",
    "ANTHROPIC_API_KEY": "sk-c",
    "VLLM_BASE": "http://gpu/v1",
    "COHERE_API_KEY": "co-1",
}


def test_what_is_carried_over() -> None:
    imported = convert(yaml.safe_load(CONFIG))
    settings = Settings.model_validate(references.resolved(imported.settings, ENVIRONMENT))
    assert set(settings.models.remote) == {"gpt-4o", "claude", "local", "bedrock", "command"}
    first, second = settings.models.remote["gpt-4o"].endpoints()
    assert (first.url, first.model, first.api_key, first.weight) == ("https://api.openai.com/v1", "gpt-4o", "sk-o", 3)
    assert (second.url, second.model) == ("https://ours.openai.azure.com/openai/v1", "our-gpt-4o")
    assert (second.api_key, second.concurrency) == ("sk-a", 8)
    gpt = settings.models.remote["gpt-4o"]
    assert (gpt.context_window, gpt.price_input, gpt.price_output) == (128000, 2.5, 10.0)
    assert gpt.first_token_timeout_s == 20
    claude = settings.models.remote["claude"]
    assert (claude.url, claude.api_key) == ("https://api.anthropic.com/v1", "sk-c")
    assert settings.models.remote["local"].url == "http://gpu/v1"
    bedrock, command = settings.models.remote["bedrock"], settings.models.remote["command"]
    assert (bedrock.provider, bedrock.model) == ("bedrock", "anthropic.claude-v2")
    assert bedrock.options == {"region_name": "us-east-1"}
    assert (command.provider, command.api_key, command.weight) == ("cohere", "co-1", 2)
    balance = settings.serving.balance
    assert (balance.policy, balance.failures, balance.cooldown_s) == ("latency", 3, 30)
    assert (settings.serving.retries, settings.gateway.request_timeout_s) == (3, 90)
    routes = settings.serving.routes
    assert routes["gpt-4o"].fallback == ("claude",)
    assert routes["local"].context_fallback == ("gpt-4o",)
    assert routes["claude"].fallback == ("local",)
    assert routes["gpt-4"].arms["main"].model == "gpt-4o"
    assert routes["gpt-4"].fallback == ("claude",)
    assert routes["hidden"].arms["main"].model == "claude"


def test_what_is_not_is_listed_with_its_reason() -> None:
    notes = dict(convert(yaml.safe_load(CONFIG)).notes)
    assert "concurrency" in notes["model_list.0 (gpt-4o).rpm"]
    assert notes["model_list.0 (gpt-4o).model_info.id"] == "has no counterpart here"
    assert "api_version" in "".join(notes)
    assert "model_list.2 (claude).max_tokens" in notes
    assert "the file now contains a secret" in notes["model_list.3 (local).api_key"]
    assert "only chat models" in notes["model_list.4 (embed)"]
    assert "vertex_ai does not speak" in notes["model_list.7 (vertex)"]
    assert "patterns" in notes["model_list.8 (*)"]
    assert "not imported" in notes["router_settings.fallbacks.0.gpt-4o.embed"]
    assert "not imported" in notes["router_settings.fallbacks.1.nobody"]
    assert "never dropped" in notes["litellm_settings.drop_params"]
    assert "mainspring keys create" in notes["general_settings.master_key"]
    assert {"router_settings.redis_host", "litellm_settings.success_callback"} <= notes.keys()
    assert {"general_settings.database_url", "environment_variables"} <= notes.keys()
    assert "router_settings.model_group_alias.hidden.hidden" in notes


@pytest.mark.parametrize("document", [None, [], {}, {"model_list": None}, "text"])
def test_anything_else_is_refused(document: Any) -> None:
    with pytest.raises(InvalidRequest, match="no model_list"):
        convert(document)


WORDS = st.text(alphabet="abcdefghij_", min_size=3, max_size=8).map(lambda word: f"zz_{word}")
LEAVES = st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.lists(st.integers(), max_size=2))


@given(st.lists(WORDS, min_size=5, max_size=5, unique=True), LEAVES)
def test_no_unknown_key_is_dropped(names: list[str], value: Any) -> None:
    top, entry, parameter, info, router = names
    document = {
        "model_list": [
            {
                "model_name": "m",
                "litellm_params": {"model": "openai/x", parameter: value},
                "model_info": {info: value},
                entry: value,
            }
        ],
        "router_settings": {router: value},
        top: value,
    }
    places = "\n".join(place for place, _ in convert(document).notes)
    assert all(name in places for name in names)
