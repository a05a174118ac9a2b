#!/usr/bin/env python3
"""Three changes that a newcomer makes to one feature, as commits in a scratch copy: an endpoint with a scope of its
own, a setting, and a stored field with its migration.

    python scripts/newcomer.py /tmp/newcomer

Prints the files that each change touches. tests/test_newcomer.py counts them and asks a server of the copy.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FEATURE = "src/mainspring/features/arena"
COPIED = ("src", "tests", "docs", "scripts")
OUTSIDE = ("docs/", "tests/")
"""Files in these folders are not counted."""


@dataclass(frozen=True)
class Edit:
    """Replaces ``old``, which stands once in the file ``path``. An empty ``old``: the file is new."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """A commit."""

    name: str
    edits: tuple[Edit, ...]


def endpoint() -> Change:
    """``GET /v1/arena/{arena}/size`` for keys with the scope ``arena-sizes``."""
    scope = '"arena-sizes": "see how many models an arena compares"'
    route = '''    @routes.get("/{arena}/size")
    async def get_size(arena: ArenaName, context: Annotated[Context, Depends(access("arena-sizes"))]) -> HttpResponse:
        """How many models an arena compares."""
        found = await service.get(context.principal.tenant, arena)
        return json_response({"object": "arena.size", "id": arena, "models": len(found.models)})

'''
    begin = '    @routes.post("/{arena}/battles", status_code=201)\n'
    listed = '        "GET /v1/arena": "arena",\n'
    return Change(
        "endpoint with a scope",
        (
            Edit(f"{FEATURE}/scopes.py", 'leaderboards"}', f'leaderboards", {scope}}}'),
            Edit(f"{FEATURE}/routes.py", begin, route + begin),
            Edit(
                "tests/features/arena/surface.py",
                listed,
                listed + '        "GET /v1/arena/{arena}/size": "arena-sizes",\n',
            ),
        ),
    )


def setting() -> Change:
    """``arena.titles``, a mapping that the environment may fill, shown by ``GET /v1/arena/{arena}``."""
    before = "    open_battles: int"
    field = '    titles: dict[str, str] = Field(default_factory=dict, description="titles of arenas, by name")\n'
    shown = "        return json_response(arena_body(arena, await service.get(context.principal.tenant, arena), None, named=True))\n"  # noqa: E501
    titled = """        body = arena_body(arena, await service.get(context.principal.tenant, arena), None, named=True)
        return json_response({**body, "title": service.settings.titles.get(arena, "")})
"""
    return Change(
        "setting",
        (
            Edit(f"{FEATURE}/settings.py", before, field + before),
            Edit(f"{FEATURE}/routes.py", shown, titled),
        ),
    )


def stored_field(number: int) -> Change:
    """``arenas.changes``: those that are changed most often are listed first. ``number`` is the migration's."""
    migration = f'''"""How often an arena was changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = "{number - 1:04}"


def upgrade() -> None:
    op.add_column("arenas", sa.Column("changes", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
'''
    column = '    json("definition", "{}"),\n    time("created_at"),\n'
    update = "values(definition=definition, updated_at=now)\n"
    counted = "values(definition=definition, updated_at=now, changes=arenas.c.changes + 1)\n"
    return Change(
        "stored field",
        (
            Edit(
                f"{FEATURE}/tables.py",
                column,
                '    json("definition", "{}"),\n    count("changes"),\n    time("created_at"),\n',
            ),
            Edit(f"{FEATURE}/migrations/{number:04}_arena_changes.py", "", migration),
            Edit(f"{FEATURE}/service.py", update, counted),
            Edit(
                f"{FEATURE}/service.py", "order_by(arenas.c.name)", "order_by(arenas.c.changes.desc(), arenas.c.name)"
            ),
        ),
    )


def migrations(tree: Path) -> Iterator[int]:
    """The numbers of the migrations."""
    for path in tree.rglob("src/mainspring/**/[0-9]*.py"):
        if found := re.match(r"(\d{4})_", path.name):
            yield int(found[1])


def make(folder: Path) -> list[tuple[Change, list[str]]]:
    """Copy the tree to ``folder`` and commit the changes there. Returns each change with the files that its commit
    touches, documentation and tests apart. Raises ``AssertionError``: the code is not as a change expects it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    _git(folder, "init", "--quiet")
    _commit(folder, "the tree")
    found = []
    for change in (endpoint(), setting(), stored_field(max(migrations(folder)) + 1)):
        for edit in change.edits:
            _apply(folder, edit)
        _commit(folder, change.name)
        touched = _git(folder, "diff", "--name-only", "HEAD~1").splitlines()
        found.append((change, [path for path in touched if not path.startswith(OUTSIDE)]))
    return found


def _apply(folder: Path, edit: Edit) -> None:
    path = folder / edit.path
    if not edit.old:
        path.write_text(edit.new, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    assert text.count(edit.old) == 1, f"{edit.path} has {edit.old!r} {text.count(edit.old)} times"
    path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", message)


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=newcomer", "-c", "user.email=newcomer@example.com", "-c", "commit.gpgsign=false")
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own command


def main() -> None:
    for change, files in make(Path(sys.argv[1])):
        print(f"{change.name}: {len(files)} files")
        for path in files:
            print(f"    {path}")


if __name__ == "__main__":
    main()
