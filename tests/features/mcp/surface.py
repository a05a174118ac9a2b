"""The routes and commands of the feature ``mcp``."""

from tests.surfaces import OWN_ID, SERVES, Surface

SURFACE = Surface(
    scopes={
        "GET /.well-known/oauth-protected-resource": None,
        "GET /.well-known/oauth-protected-resource/mcp": None,
    },
    answering=(
        "mcp list",
        "mcp logout x",
    ),
    elsewhere=(
        "mcp approve",
        "mcp login",
        "mcp tools",
    ),
    without_json={
        "mcp": SERVES,
    },
    unkeyed={
        "/mcp": OWN_ID,
    },
)
