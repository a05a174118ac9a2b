"""The routes and commands of the feature ``train``."""

from tests.surfaces import Surface

SURFACE = Surface()
