"""The routes and commands of the feature ``agents``."""

from tests.surfaces import ANSWERS, ASKS, SAME_TWICE, WRITES, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/agents": "chat",
        "GET /v1/agents/{name}": "chat",
        "POST /v1/agents": "agents",
        "POST /v1/agents/draft": "agents",
        "POST /v1/agents/{name}": "agents",
        "DELETE /v1/agents/{name}": "agents",
        "GET /v1/agents/{name}/versions": "agents",
        "POST /v1/agents/{name}/restore": "agents",
    },
    changes={
        "POST /v1/agents": "toolsets: those that agents.toolsets permits, and no Python (tests/features/agents)",
        "POST /v1/agents/{name}": "see the agent that is made",
        "POST /v1/agents/{name}/restore": "see the agent that is made",
        "DELETE /v1/agents/{name}": "",
        "POST /v1/agents/draft": ASKS,
    },
    remote=(
        "agents list",
        "agents delete a",
        "agents run a hello",
        "agents draft shop,clerk,orders",
    ),
    elsewhere=("agents save",),
    without_json={
        "agents show": WRITES,
    },
    unkeyed={
        "/v1/agents": SAME_TWICE,
        "/v1/agents/draft": ANSWERS,
        "/v1/agents/{name}": SAME_TWICE,
        "/v1/agents/{name}/restore": SAME_TWICE,
    },
)
