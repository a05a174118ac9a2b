"""A plugin for pytest in a suite's process: it tells the one who stands between which test runs."""

import os
import urllib.request
from typing import Any

ADDRESS = os.environ["STAND_IN"] + "/_test"
# The suite's tests may replace clients of HTTP and what they wait for; this one is nobody's.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def pytest_runtest_logstart(nodeid: str, location: Any) -> None:
    with _OPENER.open(urllib.request.Request(ADDRESS, data=nodeid.encode(), method="POST")):
        pass
