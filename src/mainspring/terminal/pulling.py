"""Models that are configured and not on this machine, pulled with a progress bar."""

from __future__ import annotations

import sys

from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.terminal import show


def pull_missing(settings: Settings) -> None:
    """Pull every configured model that is not on this machine. Raises ``ModelError`` and what its sources raise."""
    from mainspring.engines.catalogue.pull import Puller

    puller = Puller(settings)
    for name in settings.local_models:
        try:
            puller.local(name)
        except ModelNotPulled:
            sys.stderr.write(f"Pulling {name} (once) ...\n")
            with show.progress() as progress:
                puller.pull(name, progress)
