"""``mainspring import``: other servers' configurations as ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from mainspring.command import MODELS, Command
from mainspring.core.errors import Conflict, NotFound, SettingsError
from mainspring.terminal import show

app = typer.Typer(help="Turn another server's configuration into mainspring.yaml.", no_args_is_help=True)


@app.command()
def litellm(
    path: Annotated[Path, typer.Argument(help="LiteLLM's config.yaml")],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write", show_default="standard output")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite --out if it exists")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Settings and notes as JSON on standard output")] = False,
) -> None:
    """Convert a LiteLLM proxy's configuration; settings without a counterpart are listed on standard error."""
    from mainspring.features.litellm.config import convert, lines

    if out is not None and out.exists() and not force:
        raise Conflict(f"{out} exists", remedy="Give another --out, or --force")
    imported = convert(_read(path))
    if as_json:
        notes = [{"place": place, "reason": reason} for place, reason in imported.notes]
        show.as_json({"settings": imported.settings, "notes": notes})
        return
    text = yaml.safe_dump(imported.settings, sort_keys=False, allow_unicode=True)
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
    if imported.notes:
        sys.stderr.write("Not as it was:\n" + "".join(f"  {line}\n" for line in lines(imported)))


def _read(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"there is no {path}", remedy="Usage: mainspring import litellm CONFIG") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read as YAML: {error}") from None


COMMANDS = (Command("import", app, MODELS),)
