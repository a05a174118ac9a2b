"""The commands of the feature ``support``."""

from tests.surfaces import TALKS, Surface

SURFACE = Surface(
    remote=("support ask hello",),
    answering=("support seed --database shop.db",),
    without_json={"support chat": TALKS},
)
