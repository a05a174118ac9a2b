"""The routes and commands of the feature ``lake``."""

from tests.surfaces import Surface

SURFACE = Surface(
    scopes={"POST /v1/lake/sql": "lake"},
    changes={"POST /v1/lake/sql": ""},
    elsewhere=("lake funnel",),
    answering=("lake sync", "lake build", "lake sql VALUES(1)"),
)
