"""The judges that come with the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from mainspring.core import yaml_files
from mainspring.features.judges.definitions.definition import Definition


@cache
def shipped() -> Mapping[str, Definition]:
    """By name."""
    text = files(__package__).joinpath("shipped.yaml").read_text(encoding="utf-8")
    return {name: Definition.model_validate(told) for name, told in yaml_files.load(text).items()}
