"""What the console was built from: a hash of its sources beside the built files, and the check that it still holds.

    python scripts/console_built.py write   # after a build
    python scripts/console_built.py check
    python scripts/console_built.py same FOLDER   # whether another build, in FOLDER, came out the same

The built files are committed, so that running the server needs no Node; the record tells when the sources have moved on
or somebody has changed a built file by hand.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "console"
BUILT = ROOT / "src" / "mainspring" / "gateway" / "static"
RECORD = "built.json"
# What a build reads, beside the tree of `src` and `public`.
FILES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


def sources() -> str:
    """The sha256 over names and contents of everything that a build reads."""
    trees = [path for name in ("src", "public") for path in (SOURCES / name).rglob("*") if path.is_file()]
    whole = hashlib.sha256()
    for path in sorted([*trees, *(SOURCES / name for name in FILES)], key=lambda path: path.as_posix()):
        whole.update(f"{path.relative_to(SOURCES).as_posix()}\0{_digest(path)}\n".encode())
    return whole.hexdigest()


def built(folder: Path = BUILT) -> dict[str, str]:
    """The sha256 of each built file by its name."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != RECORD]
    return {path.relative_to(folder).as_posix(): _digest(path) for path in sorted(files)}


def problem() -> str:
    """What is wrong with the built files; empty where nothing is."""
    try:
        record = json.loads((BUILT / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{BUILT.relative_to(ROOT)} holds no build"
    if record["files"] != built():
        return f"files in {BUILT.relative_to(ROOT)} are not those that were built"
    if record["sources"] != sources():
        return "the sources in console/ have changed since the build"
    return ""


def main(verb: str, folder: str = "") -> str:
    """Do ``verb``; what is wrong."""
    if verb == "same":
        committed, anew = built(), built(Path(folder))
        other = sorted(name for name in committed | anew if committed.get(name) != anew.get(name))
        return f"a build of the sources has other files: {', '.join(other)}" if other else ""
    if verb == "write":
        text = json.dumps({"sources": sources(), "files": built()}, indent=1, sort_keys=True)
        (BUILT / RECORD).write_text(text + "\n", encoding="utf-8")
    return problem()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    if found := main(*(sys.argv[1:] or ["check"])):
        sys.exit(f"{found}: run `make console`")
