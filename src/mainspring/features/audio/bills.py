"""What hearing and speaking cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.core.settings.audio import AudioSettings
from mainspring.core.types import Context
from mainspring.serving.admit.rate_limits import Charge
from mainspring.serving.money.bills import WorkBill
from mainspring.serving.money.pricing import MILLION, NANO
from mainspring.stores import Stores

HEARING, SPEAKING = "transcription", "speech"


class SpeechBill(WorkBill):
    """Of one recording or text."""

    def __init__(self, bills: Bills, context: Context, model: str, operation: str) -> None:
        named = {"subject": "audio", "model": model, "provider": "mainspring.audio", "operation": operation}
        super().__init__(bills.stores, context, **named)
        self._bills = bills

    async def hear(self, seconds: float) -> None:
        """A recording of this length is heard now, and owed for. Raises ``BudgetExceeded``."""
        await self.hold(round(seconds / 60 * self._bills.minute))
        self.owe()

    async def speak(self, characters: int) -> None:
        """A text of this length is to be spoken; it is owed for once it is ``spoken``. Raises ``BudgetExceeded``."""
        await self.hold(round(characters * self._bills.characters / MILLION))

    def spoken(self) -> None:
        self.owe()


class Bills:
    """Opens the bills of requests. ``minute`` and ``characters`` (a million) are prices in nano-US-dollars."""

    def __init__(self, charge: Charge, stores: Stores, audio: AudioSettings) -> None:
        self.stores = stores
        self.minute = round(audio.usd_per_minute * NANO)
        self.characters = round(audio.usd_per_million_characters * NANO)
        self._charge = charge

    @asynccontextmanager
    async def open(self, context: Context, model: str, operation: str) -> AsyncIterator[SpeechBill]:
        """Counts one request to the limits of its key; what the block's bill owes is charged at its end. Raises what
        ``Charge`` raises."""
        bill = SpeechBill(self, context, model, operation)
        async with self._charge(context, 0):
            try:
                yield bill
            finally:
                await bill.close()
