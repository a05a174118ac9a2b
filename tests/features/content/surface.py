"""The routes and commands of the feature ``content``."""

from tests.surfaces import ASKS, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/content/articles": "chat",
        "GET /v1/content/articles": "chat",
        "GET /v1/content/articles/{article_id}": "chat",
        "DELETE /v1/content/articles/{article_id}": "chat",
        "POST /v1/content/articles/{article_id}/approve": "chat",
        "POST /v1/content/articles/{article_id}/deny": "chat",
        "POST /v1/content/articles/{article_id}/cancel": "chat",
        "POST /v1/content/articles/{article_id}/revise": "chat",
        "GET /v1/content/articles/{article_id}/versions": "chat",
        "GET /v1/content/articles/{article_id}/export": "chat",
    },
    changes={
        "POST /v1/content/articles": ASKS,
        "DELETE /v1/content/articles/{article_id}": "",
        "POST /v1/content/articles/{article_id}/approve": ASKS,
        "POST /v1/content/articles/{article_id}/deny": "",
        "POST /v1/content/articles/{article_id}/cancel": "",
        "POST /v1/content/articles/{article_id}/revise": ASKS,
    },
)
