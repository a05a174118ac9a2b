"""The gate for tests, which find it here: ``mainspring.testing.assert_gate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.features.evaluate.gates.running import Wish, run

if TYPE_CHECKING:
    from mainspring.command import WholeOpener
    from mainspring.core.settings import Settings


async def gated(open_whole: WholeOpener, settings: Settings, **wish: Any) -> tuple[bool, str]:
    """Whether the candidate is not worse, and the report; ``wish`` has the fields of ``Wish``."""
    found = await run(open_whole, settings, Wish(**wish))
    return found.outcome.verdict == "not worse", found.markdown()


GATE = gated
