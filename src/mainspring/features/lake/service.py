"""The lake over the stores: what routes, commands and other parts of the feature work with."""

from __future__ import annotations

from mainspring.core.settings import Settings
from mainspring.features.lake.files.manifest import Manifest
from mainspring.features.lake.files.reading import Clean
from mainspring.features.lake.files.storage import opened
from mainspring.features.lake.settings import LakeSettings
from mainspring.features.lake.sql.query import Sql
from mainspring.features.lake.stream.syncing import Syncing
from mainspring.stores import Stores


class Lake:
    """The service. ``clean`` reads interactions, ``sql`` queries, ``syncing`` follows the event log."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.settings = settings.section(LakeSettings)
        self.storage = opened(self.settings.url, settings.home)
        self.manifest = Manifest(stores.database)
        self.clean = Clean(self.manifest, self.storage)
        self.sql = Sql(self.manifest, self.storage, self.settings.sql)
        self.syncing = Syncing(stores.database, self.storage, self.settings.batch)
