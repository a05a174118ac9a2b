"""The migrations: one linear chain, in ``stores/migrations/versions`` and in the ``migrations`` folders of features. A
link is named ``NUMBER_what.py``, and its number is its revision."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.core import slices

if TYPE_CHECKING:
    from alembic.config import Config

HOME = Path(__file__).parents[1] / "migrations"


def folders() -> list[Path]:
    """Where links lie."""
    return [HOME / "versions", *sorted(slices.folder().glob("*/migrations"))]


def newest() -> str:
    """The number of the last link, by the names of the files: nothing is imported."""
    return max(path.name.partition("_")[0] for folder in folders() for path in folder.glob("[0-9]*.py"))


def configuration() -> Config:
    """Alembic's configuration of the chain."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HOME).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(map(str, folders())).replace("%", "%%"))
    return config
