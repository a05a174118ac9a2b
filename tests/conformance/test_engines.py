"""The engines of mainspring keep what ``mainspring.testing`` asks of every engine. Parametrised over
``engine_cases.CASES``."""

from __future__ import annotations

import pytest

from mainspring.testing import EngineSuite
from tests.conformance.engine_cases import Case


class TestEngines(EngineSuite, loop_scope="session"):
    @pytest.fixture
    def generates(self, case: Case) -> bool:
        return case.model
