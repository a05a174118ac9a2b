"""The routes and commands of the feature ``insights``."""

from tests.surfaces import MAKES_MORE, SAME_TWICE, Surface

SURFACE = Surface(
    scopes={
        "POST /v1/insights/run": "insights",
        "GET /v1/insights/summary": "insights",
        "GET /v1/insights/topics": "insights",
        "POST /v1/insights/topics/{topic_id}": "insights",
        "GET /v1/insights/gaps": "insights",
        "GET /v1/insights/faq": "insights",
        "POST /v1/insights/faq": "insights",
        "GET /v1/insights/faq/export": "insights",
        "POST /v1/insights/faq/publish": "ingest",
        "POST /v1/insights/faq/{entry_id}": "insights",
        "DELETE /v1/insights/faq/{entry_id}": "insights",
        "GET /v1/insights/conversations": "insights",
        "GET /v1/insights/conversations/{conversation_id}": "insights",
    },
    changes={
        "POST /v1/insights/run": "what an operator configured as what is read",
        "POST /v1/insights/topics/{topic_id}": "",
        "POST /v1/insights/faq": "what an operator configured as what is read",
        "POST /v1/insights/faq/publish": "a document, as POST /v1/files",
        "POST /v1/insights/faq/{entry_id}": "",
        "DELETE /v1/insights/faq/{entry_id}": "",
    },
    remote=(
        "insights run",
        "insights topics",
        "insights conversations",
        "insights gaps",
        "insights faq list",
        "insights faq draft",
        "insights faq change f --approve",
        "insights faq delete f",
        "insights faq publish animals",
    ),
    unkeyed={
        "/v1/insights/run": SAME_TWICE,
        "/v1/insights/topics/{topic_id}": SAME_TWICE,
        "/v1/insights/faq": MAKES_MORE,
        "/v1/insights/faq/publish": SAME_TWICE,
        "/v1/insights/faq/{entry_id}": SAME_TWICE,
    },
)
