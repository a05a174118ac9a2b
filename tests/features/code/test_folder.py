"""The files of a folder: those that git does not ignore, as git itself says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.code.index import folder

FILES = {
    ".gitignore": "*.log\n/build/\n!keep.log\ntemp?/\ndocs/*.md\n",
    "sub/.gitignore": "local.py\n!*.log\n",
    "a.py": "x = 1\n",
    "a.log.py": "",
    "build/out.py": "",
    "sub/build/in.py": "",
    "sub/local.py": "",
    "sub/deep/local.py": "",
    "local.py": "",
    "temp1/t.py": "",
    "temporary/t.py": "",
    "docs/a.md": "",
    "docs/deep/b.md": "",
    "sub/docs/c.md": "",
    "node_modules/n.js": "",
    ".env": "SECRET=1",
    "picture.png": "",
}


def tree(root: Path) -> Path:
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "raw.py").write_bytes(b"a\0b")
    (root / "big.py").write_text("x" * 2_000)
    (root / "link.py").symlink_to(root / "a.py")
    return root


def test_the_files(tmp_path: Path) -> None:
    found = sorted(each.path for each in folder.files(tree(tmp_path), 1_000))
    assert found == [
        *("a.log.py", "a.py", "docs/deep/b.md", "local.py", "sub/build/in.py", "sub/docs/c.md", "temporary/t.py")
    ]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_agrees(tmp_path: Path) -> None:
    root = tree(tmp_path)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".git" / "info" / "exclude").write_text("temporary/\n")
    asked = "\n".join(FILES)
    said = subprocess.run(
        ["git", "-C", str(root), "check-ignore", "--no-index", "--stdin"], input=asked, capture_output=True, text=True
    )
    rules = folder.IgnoreRules(root)
    assert {path for path in FILES if rules.ignored(path)} == set(said.stdout.split())


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        list(folder.files(tmp_path / "none", 1_000))
