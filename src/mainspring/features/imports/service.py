"""The service of imports, which routes and the worker share."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.core.settings import Settings
from mainspring.features.imports.settings import ImportsSettings
from mainspring.features.imports.store import Imports
from mainspring.stores import Stores


class ImportService:
    """``imports`` keeps them; ``soon`` is called when one was queued."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.settings = settings.section(ImportsSettings)
        self.imports = Imports(stores.database, stores.audit, self.settings)
        self.wake: Callable[[], None] | None = None

    def soon(self) -> None:
        """A job was queued here: a worker of this process need not look for it."""
        if self.wake is not None:
            self.wake()
