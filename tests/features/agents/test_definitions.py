from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, SettingsError
from mainspring.features.agents import definition as data
from tests.features.agents.world import opened


def _toolset(name: str, options: Any) -> Any:
    raise AssertionError(name)


MAKING = data.Making(_toolset, frozenset())


@pytest.mark.parametrize(
    ("found", "param"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "runs"}, "name"),
        ({"name": "a", "instructions": "x"}, "instructions"),
        ({"name": "a", "limits": {"steps": 0}}, "limits.steps"),
        ({"name": "a", "sub_agents": [{"name": "b", "turns": -1}]}, "sub_agents.0.turns"),
        ({"name": "a", "type": "loop", "model": "m", "sub_agents": [{"name": "b"}]}, "model"),
        ({"name": "a", "type": "sequential"}, "sub_agents"),
        ({"name": "a", "max_iterations": 2}, "max_iterations"),
        ({"name": "a", "tools": [{"sql": {}}]}, "tools.0.sql"),
        ({"name": "a", "tools": [{"function": "os:getcwd"}]}, "tools.0.function"),
        ({"name": "a", "tools": [{"agent": {"name": "b", "tools": [{"x": 1, "y": 2}]}}]}, "tools.0.agent.tools.0"),
        ({"name": "a", "rules": [{"tool": "x"}]}, "rules.0"),
        ({"name": "a", "sub_agents": [{f"x{number}": 1 for number in range(9_000)}]}, "sub_agents.0"),
    ],
)
def test_a_wrong_definition_names_the_field(found: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        data.made(data.read(found), MAKING)
    assert error.value.param == param
    assert param in str(error.value) or "name" in param


def test_a_definition_becomes_what_the_classes_are() -> None:
    made: Any = data.made(
        data.read(
            {
                "type": "loop",
                "name": "polish",
                "max_iterations": 2,
                "until": {"key": "verdict", "equals": "accepted"},
                "sub_agents": [
                    {"name": "writer", "output_key": "text"},
                    {"name": "critic", "tools": ["exit_loop", {"agent": {"name": "expert"}}], "limits": {"steps": 3}},
                ],
            }
        ),
        MAKING,
    )
    writer, critic = made.sub_agents
    assert (writer.output_key, critic.limits.steps, made.max_iterations) == ("text", 3, 2)
    assert [each.declaration.name for each in critic.tools] == ["exit_loop", "expert"]
    assert made.until({"verdict": "Accepted, with thanks"})
    assert not made.until({"verdict": "not yet"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"definitions": {"a": {"tools": [{"sqll": {}}]}}}, r"agents.definitions.a.tools.0.sqll: no toolset"),
        ({"modules": ["tests.features.agents.shop:nobody"]}, "cannot be imported"),
        ({"modules": ["tests.features.agents.shop:get_order"]}, "is not an agent"),
    ],
)
async def test_a_wrong_setting_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any, told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        async with opened(monkeypatch, tmp_path, [], settings):
            pass
