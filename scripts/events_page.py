"""Writes docs/reference/events.md, every kind of event with its fields and marks, from the classes in core/facts.

python scripts/events_page.py            # write it
python scripts/events_page.py --check    # exit status 1 where it is not what the classes say
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from mainspring.core.facts.base import Facts
from mainspring.core.facts.derived import columns
from mainspring.core.facts.registry import KINDS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "events.md"
HEAD = """# Events

After this page you can read what `GET /v1/events` and `mainspring traces ID` tell of a request, and you know what is
left of it when somebody's data are erased. Written from the code by `python scripts/events_page.py`.

```sh
curl -sf "http://127.0.0.1:8000/v1/events?kind=call" -H "Authorization: Bearer ms-..."
```

An event has a `kind`, and its `facts` are JSON of that kind. A field that is as usual may be absent. A field of another
version of the program is kept as it was written. The column *Erasure* says what happens to a field when somebody's
data are erased, or when their time is over ([compliance](../operate/compliance.md)):

- `keep`: it stays. It is a number, or a name that is ours or the operator's. The ledger sums what stays as before. The
  name of a model or an application goes, too, where nobody serves one of that name.
- `erase`: it goes.
- `digest`: a digest takes its place, under a key that is thrown away at once. What was equal in one erasure stays
  equal, and nobody can tell what it was.

Fields that are not *shown* are left out when a data subject asks for its data: they are about the machine or the
operator's contracts. An event of any kind may say `replay_of`: the answer whose request was asked again; and
`imported`: the system that recorded it, if that was [another one](../guides/import.md).
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_kind(name, kind) for name, kind in sorted(KINDS.items()))


def _kind(name: str, kind: type[Facts]) -> str:
    said = re.sub(r"\s+", " ", inspect.cleandoc(kind.__doc__ or "")).replace("``", "`")
    shown = [each for each in columns(kind) if each.name not in ("replay_of", "imported")]
    if not shown:
        return f"\n## {name}\n\n{said}\n"
    rows = [
        f"| `{each.name}` | {each.type.replace('|', 'or')} | {each.erasure} | {'yes' if each.exported else 'no'} |\n"
        for each in shown
    ]
    return f"\n## {name}\n\n{said}\n\n| Field | Type | Erasure | Shown |\n|---|---|---|---|\n{''.join(rows)}"


def main() -> int:
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write("docs/reference/events.md is not what the facts say: run `python scripts/events_page.py`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
