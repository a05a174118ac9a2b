"""Providers by LiteLLM's names: those that speak OpenAI's wire format, and those that are reached natively."""

from __future__ import annotations

from collections.abc import Mapping

SAME_WIRE: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "together_ai": "https://api.together.xyz/v1",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "perplexity": "https://api.perplexity.ai",
    "xai": "https://api.x.ai/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "nvidia_nim": "https://integrate.api.nvidia.com/v1",
    "ollama": "http://localhost:11434/v1",
    "ollama_chat": "http://localhost:11434/v1",
}
"""Where each listens."""

OWN_ADDRESS = frozenset(
    {"azure", "hosted_vllm", "vllm", "openai_like", "lm_studio", "llamafile", "litellm_proxy", "custom_openai"}
)
"""Providers at an address of their operator's choice."""

NATIVE: Mapping[str, str] = {
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "cohere": "cohere",
    "cohere_chat": "cohere",
}
"""The name of each that is asked in its own wire format, by the extra ``providers``."""

REGION = "aws_region_name"
"""Where LiteLLM's parameters name the region of a Bedrock model."""

PLAIN: Mapping[str, str] = {"ollama_chat": "ollama"}
"""Other names for the same."""

KEYS: Mapping[str, str] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "groq": "GROQ_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "fireworks_ai": "FIREWORKS_AI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "perplexity": "PERPLEXITYAI_API_KEY",
    "xai": "XAI_API_KEY",
    "cerebras": "CEREBRAS_API_KEY",
    "nvidia_nim": "NVIDIA_NIM_API_KEY",
    "cohere": "COHERE_API_KEY",
}
"""The environment variable that LiteLLM reads if no key is given."""

NAMED_CHAT = (("claude", "anthropic"), ("gemini", "gemini"), ("mistral", "mistral"), ("deepseek", "deepseek"))
"""Whose a bare name is, by its beginning; all others are OpenAI's."""
