"""Writes docs/reference/settings.md, every setting with its default and meaning, from the settings' classes.

python scripts/settings_page.py            # write it
python scripts/settings_page.py --check    # exit status 1 where it is not what the classes say
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mainspring.core.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
HEAD = """# All settings

After this page you can name any setting, with its default and its meaning. This shows the ones in force:

```sh
mainspring doctor
```

[Configuration](configuration.md) says how and where to give them. NAME is a name of your own. A setting without a
default must be given where its section is. `python scripts/settings_page.py` writes this page from the code.

"""
# Defaults that depend on the machine.
_HERE = {"home": "`~/.local/share/mainspring`", "models.directory": "`~/.cache/mainspring/models`"}


def page() -> str:
    """The whole page."""
    parts = [HEAD, _table(Settings, "", only_values=True)]
    for name, info in Settings.model_fields.items():
        if section := _section(info.annotation):
            parts += [f"\n## {name}\n", *_sections(section, f"{name}.")]
    return "".join(parts)


def _sections(section: type[BaseModel], prefix: str) -> Iterator[str]:
    """The section itself, then those within it."""
    yield _said(section)
    yield _table(section, prefix, only_values=False)
    for name, info in section.model_fields.items():
        for dotted, inner in _inner(f"{prefix}{name}", info.annotation):
            yield f"\n### {dotted}\n"
            yield from _sections(inner, f"{dotted}.")


def _inner(dotted: str, annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    if section := _section(annotation):
        yield dotted, section
        return
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        yield from _inner(f"{dotted}.NAME", arguments[1])
    elif origin in (tuple, list):
        yield from _inner(f"{dotted}[]", arguments[0])
    elif origin in (typing.Union, types.UnionType, typing.Annotated):
        for each in arguments:
            yield from _inner(dotted, each)


def _section(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _said(section: type[BaseModel]) -> str:
    text = inspect.cleandoc(section.__doc__ or "").replace("``", "`")
    return f"\n{text}\n"


def _table(section: type[BaseModel], prefix: str, *, only_values: bool) -> str:
    rows = [
        f"| `{prefix}{name}` | {_kind(info.annotation)} | {_default(prefix + name, info)} | {_about(info)} |\n"
        for name, info in section.model_fields.items()
        if not _section(info.annotation)
    ]
    if not rows:
        return ""
    head = "" if only_values else "\n"
    return f"{head}| setting | kind | default | |\n|---|---|---|---|\n" + "".join(rows)


def _kind(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(each) for each in arguments)
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin in (tuple, list, frozenset):
        return f"list of {_kind(arguments[0])}"
    if origin is dict or annotation is dict:
        return f"mapping of names to {_kind(arguments[1])}" if arguments else "mapping"
    if _section(annotation):
        return "section"
    names = {str: "text", int: "whole number", float: "number", bool: "yes or no", Path: "path", type(None): "nothing"}
    return names.get(annotation, "value")


def _default(dotted: str, info: FieldInfo) -> str:
    if dotted in _HERE:
        return _HERE[dotted]
    if info.is_required():
        return ""
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None:
        return "none"
    return f"`{json.dumps(_plain(value))}`" if value not in ("", (), {}, []) else "empty"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _about(info: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(each, name):g}"
        for each in info.metadata
        for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
        if isinstance(getattr(each, name, None), (int, float))
    ]
    said = [info.description or "", " and ".join(bounds), "" if info.repr else "secret"]
    return re.sub(r"\s+", " ", "; ".join(each for each in said if each)).replace("|", "\\|")


def main() -> int:
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write("docs/reference/settings.md is not what the settings say: run `python scripts/settings_page.py`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
