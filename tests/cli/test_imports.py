from __future__ import annotations

from tests.cli.command import Command

CONFIG = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 10}
router_settings: {num_retries: 1}
"""


def test_a_litellm_configuration_becomes_ours(command: Command) -> None:
    (command.place / "config.yaml").write_text(CONFIG, encoding="utf-8")
    done = command("import", "litellm", "config.yaml", "--out", "mainspring.yaml")
    assert done.returncode == 0, done.stderr
    assert "model_list.0 (gpt-4o).rpm: an endpoint's own limit" in done.stderr
    shown = command.said("doctor", OPENAI_API_KEY="sk-1")
    assert "gpt-4o" in shown
    assert "sk-1" not in shown
    assert "OPENAI_API_KEY is not set" in command.failure("doctor", status=2)
    assert "mainspring.yaml exists" in command.failure("import", "litellm", "config.yaml", "--out", "mainspring.yaml")


def test_what_is_none_is_refused(command: Command) -> None:
    (command.place / "config.yaml").write_text("models: []", encoding="utf-8")
    assert "no model_list" in command.failure("import", "litellm", "config.yaml")
    assert "there is no other.yaml" in command.failure("import", "litellm", "other.yaml")
