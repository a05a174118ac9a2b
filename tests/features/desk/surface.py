"""The routes and commands of the feature ``desk``."""

from tests.surfaces import ASKS, Surface

SURFACE = Surface(
    scopes={
        "GET /v1/desk/cases": "desk",
        "POST /v1/desk/cases": "desk",
        "GET /v1/desk/cases/{case}": "desk",
        "POST /v1/desk/cases/{case}/take": "desk",
        "POST /v1/desk/cases/{case}/assign": "desk",
        "POST /v1/desk/cases/{case}/messages": "desk",
        "POST /v1/desk/cases/{case}/close": "desk",
        "POST /v1/desk/cases/{case}/hand-back": "desk",
        "POST /v1/desk/cases/{case}/reopen": "desk",
        "GET /v1/desk/cases/{case}/events": "desk",
        "POST /v1/desk/cases/{case}/suggestions/{suggestion}/reject": "desk",
        "GET /v1/desk/events": "desk",
        "POST /v1/desk/mail": "deliver",
        "POST /v1/desk/webhooks/{name}": None,
        "GET /v1/desk/queues": "desk",
        "POST /v1/desk/next": "desk",
        "GET /v1/desk/people": "desk",
        "GET /v1/desk/people/me": "desk",
        "PUT /v1/desk/people/me": "desk",
    },
    changes={
        "POST /v1/desk/cases": "",
        "POST /v1/desk/cases/{case}/take": "",
        "POST /v1/desk/cases/{case}/assign": "",
        "POST /v1/desk/cases/{case}/messages": "",
        "POST /v1/desk/cases/{case}/close": "",
        "POST /v1/desk/cases/{case}/hand-back": "",
        "POST /v1/desk/cases/{case}/reopen": "",
        "POST /v1/desk/cases/{case}/suggestions/{suggestion}/reject": "",
        "POST /v1/desk/mail": ASKS,
        "POST /v1/desk/next": "",
        "PUT /v1/desk/people/me": "",
    },
    remote=(
        "desk list",
        "desk show CS-1",
        "desk take CS-1",
        "desk reply CS-1 hello",
        "desk close CS-1",
    ),
)
