"""The Python examples of a client's page, run in its environment as one program."""

from __future__ import annotations

import re

from tests.clients.environments import Environment
from tests.clients.families import Family
from tests.clients.outcomes import Outcome, run
from tests.conftest import ROOT

PAGES = ROOT / "docs" / "guides" / "clients"
BLOCK = re.compile(r"^```(python|js)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def checked(family: Family, first: Outcome, environment: Environment, url: str, key: str) -> list[Outcome]:
    """One outcome: whether the page's examples run. ``first`` says the client's name and versions."""
    language, ending = ("js", "mjs") if family.node else ("python", "py")
    text = (PAGES / f"{family.page}.md").read_text(encoding="utf-8")
    blocks = [body for found, body in BLOCK.findall(text) if found == language]
    if not blocks:
        return []
    program = "\n".join(blocks).replace("http://127.0.0.1:8000", url).replace("ms-...", key)
    script = environment.folder / f"example_{family.page.replace('-', '_')}.{ending}"
    script.write_text(program, encoding="utf-8")
    ran = run([*environment.command, str(script)], environment.folder, url, key)
    told = "failed" if ran.returncode else "passed"
    detail = ran.stderr[-600:] if ran.returncode else ""
    return [Outcome(first.client, "page.examples", told, detail, first.versions)]
