"""kill -9 of processes that work on runs of an agent in a Postgres: three at once, each killed many times at random.

    MAINSPRING_STORES__DATABASE=postgresql://USER:PASSWORD@HOST/DATABASE python benchmarks/kill_runs_postgres.py
        [--kills 100] [--keep DIR]

What happens and what is checked is that of ``kill_runs.py``. The runs lie in new databases of that server.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _report import skip
from kill_runs import report_series, series
from mainspring.core.settings import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--most", type=int, default=12, help="calls of models and tools that a process makes at most")
    parser.add_argument("--keep", type=Path, help="add up over several calls, in this folder")
    arguments = parser.parse_args()
    server = load().settings.stores.database
    if not server.startswith("postgres"):
        skip("MAINSPRING_STORES__DATABASE names no Postgres")
    report_series("kill_runs_postgres", series(arguments.kills, arguments.most, arguments.keep, server))


if __name__ == "__main__":
    main()
