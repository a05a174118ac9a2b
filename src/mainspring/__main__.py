"""``python -m mainspring``."""

from mainspring.cli.main import run

run()
