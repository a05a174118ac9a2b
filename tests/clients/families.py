"""The clients that are checked: what is installed for each, and the scripts of its checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = HERE / "scripts"
NODE = HERE / "node"


@dataclass(frozen=True)
class Family:
    """A client, by its ``name`` on the command line.

    ``environment`` names its environment, which several may share; ``requirements`` are installed there. A script that
    ends in ``.mjs`` runs in ``node/``, whose lock file says what is installed. ``page`` is its page under
    docs/guides/clients, whose examples run too. ``python`` is the version of Python that it takes, if not this one.
    """

    name: str
    environment: str
    requirements: tuple[str, ...]
    script: str
    page: str = ""
    python: str = ""

    @property
    def here(self) -> bool:
        """The tests' own environment has it, or it is one of the small ones of Node."""
        return self.environment == "official" or self.script in ("openai.mjs", "anthropic.mjs")

    @property
    def node(self) -> bool:
        return self.script.endswith(".mjs")


_OFFICIAL = ("openai==3.57.0", "anthropic==2.14.0")

FAMILIES = (
    Family("openai-python", "official", _OFFICIAL, "openai_chat.py", page="README"),
    Family("openai-python-responses", "official", _OFFICIAL, "openai_responses.py"),
    Family("openai-python-resources", "official", _OFFICIAL, "openai_resources.py"),
    Family("openai-node", "node", (), "openai.mjs"),
    Family("anthropic-python", "official", _OFFICIAL, "anthropic_python.py"),
    Family("anthropic-node", "node", (), "anthropic.mjs"),
    Family("features", "official", _OFFICIAL, "served_features.py"),
    Family("litellm", "litellm", ("litellm==1.110.2",), "litellm_sdk.py", page="litellm"),
    Family(
        "langchain",
        "langchain",
        ("langchain==1.5.2", "langchain-openai==1.7.4", "langchain-anthropic==1.7.10"),
        "langchain_clients.py",
        page="langchain",
    ),
    Family("openai-agents", "agents", ("openai-agents==0.24.0",), "openai_agents.py", page="openai-agents"),
    Family("ai-sdk", "node", (), "ai_sdk.mjs", page="ai-sdk"),
    Family(
        "llamaindex",
        "llamaindex",
        (
            "llama-index-core==0.14.25",
            "llama-index-llms-openai-like==0.8.1",
            "llama-index-embeddings-openai-like==0.4.0",
            "llama-index-llms-anthropic==0.12.3",
        ),
        "llamaindex_clients.py",
        page="llamaindex",
    ),
    Family(
        "pydantic-ai",
        "pydantic-ai",
        ("pydantic-ai-slim[openai,anthropic]==2.68.0",),
        "pydantic_ai_clients.py",
        page="pydantic-ai",
    ),
    Family(
        "instructor", "instructor", ("instructor[anthropic]==1.17.0",), "instructor_clients.py", page="python-libraries"
    ),
    Family("llm", "llm", ("llm==0.36",), "llm_command.py"),
    Family("smolagents", "smolagents", ("smolagents[openai]==1.26.0",), "smolagents_clients.py"),
    Family("haystack", "haystack", ("haystack-ai==3.4.1", "anthropic-haystack==8.0.1"), "haystack_clients.py"),
    Family("google-adk", "google-adk", ("google-adk[a2a]==2.13.0",), "google_adk_a2a.py"),
    Family("dspy", "dspy", ("dspy[numpy]==3.4.1",), "dspy_clients.py"),
    Family("aider", "aider", ("aider-chat==0.86.2",), "aider_command.py", python="3.11"),
    Family("lm-eval", "lm-eval", ("lm-eval[api]==0.4.13",), "lm_eval_harness.py"),
    Family("inspect", "inspect", ("inspect-ai==0.3.285", "openai==3.57.0"), "inspect_tasks.py", page="harnesses"),
    Family("open-webui", "official", _OFFICIAL, "open_webui.py"),
    Family("continue", "official", _OFFICIAL, "continue_editor.py"),
    Family("curl", "official", _OFFICIAL, "curl_command.py"),
)
