"""The routes and commands of the feature ``redteam``."""

from tests.surfaces import Surface

SURFACE = Surface(
    elsewhere=("redteam",),
)
