"""The system message of an agent: its playbook, its instruction with values of the state, and the agents around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mainspring.agents.agent import Instruction
from mainspring.core.errors import SettingsError

_KEY = re.compile(r"\{([A-Za-z_][\w.:-]*)(\?)?\}")


def rendered(instruction: Instruction, state: Mapping[str, Any], agent: str) -> str:
    """The instruction with the state's values in it. Raises ``SettingsError`` for a key that the state lacks."""
    if callable(instruction):
        return instruction(state)
    if "{" not in instruction:
        return instruction

    def value(match: re.Match[str]) -> str:
        key, optional = match[1], match[2]
        if key not in state:
            if optional:
                return ""
            raise SettingsError(
                f"the instruction of the agent {agent} names {{{key}}}, which the state does not have",
                remedy=f"Have an agent before it write the output_key {key}, or write {{{key}?}}",
                param="instruction",
            )
        found = state[key]
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return _KEY.sub(value, instruction)
