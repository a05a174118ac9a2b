"""The feature: speech recognition, speech synthesis, and their routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.settings.audio import AudioSettings
from mainspring.feature import Feature, Http, Rooms
from mainspring.features.audio.bills import Bills
from mainspring.features.audio.routes import router
from mainspring.features.audio.service import Speech


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Speech]:
    speech = Speech(rooms.engines.plugins, rooms.settings, rooms.settings.section(AudioSettings))
    try:
        yield speech
    finally:
        await speech.close()


def _routes(http: Http) -> list[APIRouter]:
    speech, charge = http.services[Speech], http.rooms.path.charge
    return [router(speech, http.access, charge, Bills(charge, http.rooms.stores, speech.audio))]


FEATURE = Feature("audio", open=_open, routes=_routes)
