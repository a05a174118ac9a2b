"""The routes and commands of the feature ``litellm``."""

from tests.surfaces import Surface

SURFACE = Surface(
    answering=("import litellm litellm.yaml",),
)
