"""The routes and commands of the feature ``content``."""

from tests.surfaces import ASKS, STORES, Surface

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
        "POST /v1/content/notebooks": "chat",
        "GET /v1/content/notebooks": "chat",
        "GET /v1/content/notebooks/{notebook_id}": "chat",
        "POST /v1/content/notebooks/{notebook_id}": "chat",
        "DELETE /v1/content/notebooks/{notebook_id}": "chat",
        "POST /v1/content/notebooks/{notebook_id}/ask": "chat",
        "POST /v1/content/notebooks/{notebook_id}/studies": "chat",
        "POST /v1/content/notebooks/{notebook_id}/recordings": "chat",
        "GET /v1/content/notebooks/{notebook_id}/recordings/{recording_id}": "chat",
    },
    changes={
        "POST /v1/content/notebooks": STORES,
        "POST /v1/content/notebooks/{notebook_id}": "",
        "DELETE /v1/content/notebooks/{notebook_id}": "",
        "POST /v1/content/notebooks/{notebook_id}/ask": ASKS,
        "POST /v1/content/notebooks/{notebook_id}/studies": ASKS,
        "POST /v1/content/notebooks/{notebook_id}/recordings": ASKS,
        "POST /v1/content/articles": ASKS,
        "DELETE /v1/content/articles/{article_id}": "",
        "POST /v1/content/articles/{article_id}/approve": ASKS,
        "POST /v1/content/articles/{article_id}/deny": "",
        "POST /v1/content/articles/{article_id}/cancel": "",
        "POST /v1/content/articles/{article_id}/revise": ASKS,
    },
)
