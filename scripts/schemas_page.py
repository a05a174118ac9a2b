"""Writes docs/reference/schemas.md, how each type and keyword of schemas is enforced, from the schemas of the tests.

python scripts/schemas_page.py            # write it
python scripts/schemas_page.py --check    # exit status 1 where it is not what the code does
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from mainspring.core.errors import InvalidSchema  # noqa: E402
from mainspring.engines.grammar import validation  # noqa: E402
from mainspring.engines.grammar.translation import translate  # noqa: E402
from tests.engines.grammar.pydantic_corpus import schemas, strict_schemas  # noqa: E402
from tests.engines.grammar.schema_corpus import GENERATED, KEYWORDS  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "schemas.md"
SCHEMA = '{"type": "object", "properties": {"day": {"type": "string", "format": "date"}}, "required": ["day"]}'
ASK = (
    'curl -si http://127.0.0.1:8000/v1/chat/completions -H "Authorization: Bearer ms-..." '
    '-H "Content-Type: application/json" -d \'{"model": "smollm2-135m-instruct", '
    '"messages": [{"role": "user", "content": "A date, please."}], "max_tokens": 32, "response_format": '
    '{"type": "json_schema", "json_schema": {"name": "day", "schema": '
    f"{SCHEMA}}}}}}}' | grep x-mainspring-structured"
)
HEAD = f"""# Schemas

After this page you can tell how a schema is enforced: while the answer is written, or when it is whole. The header
`x-mainspring-structured` says it of each answer:

```sh
{ASK}
```

| | |
|---|---|
| grammar | openvino and llamacpp can write nothing else |
| validated: keywords | a grammar holds the rest; these are checked when the answer is whole, with rounds of repair |
| refused | an error 400 (`invalid_schema`) with this reason |

"ignored" names what says nothing by the specification. Other engines are told the schema in `response_format`, or get
it validated ([generation](../guides/generation.md#structured-output)). A pattern that has look-around beyond its
beginning, or back references, is refused: it cannot be checked in bounded time. A schema has at most 65,536 bytes,
4,000 parts, 24 levels, 256 properties an object and 1,000 values an `enum`. One with more alternatives than a grammar
can list is validated as a whole. `python scripts/schemas_page.py` writes this page from the code.

The 1.5B model was asked once for each of 113 of these schemas, drawn by chance, in 200 tokens at most: 106 answers were
whole, and all 106 fit by another library's judgement (95 % at least .965). 3 were cut, 2 given up after rounds of
repair, and 2 could not be judged
([details](benchmarks-details.md#schema_answers)).

"""


def main(arguments: list[str]) -> int:
    page = written()
    if "--check" in arguments:
        current = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
        if current != page:
            print("docs/reference/schemas.md is not what the code does: run python scripts/schemas_page.py")
            return 1
        return 0
    PAGE.write_text(page, encoding="utf-8")
    return 0


def written() -> str:
    """The page."""
    generated = json.loads(GENERATED.read_text(encoding="utf-8"))
    versions = generated["versions"]
    parts = [HEAD]
    parts += _table("Keywords of JSON Schema", KEYWORDS)
    parts += _table(f"Zod {versions['zod']}: `z.toJSONSchema`", generated["zod"])
    openai = f"openai-node {versions['openai']}: `zodResponseFormat`"
    parts += _table(openai, generated["openai_node"])
    parts += _table("Pydantic 2: `model_json_schema`", schemas())
    parts += _table("openai-python: `.parse` with Pydantic models", strict_schemas())
    parts += _table(f"TypeBox {versions['@sinclair/typebox']}", generated["typebox"])
    return "\n".join(parts).rstrip() + "\n"


def _table(title: str, table: Mapping[str, Any]) -> list[str]:
    """Those that a grammar holds whole in one row, the others with what is said of them."""
    held, rows = [], []
    for name, schema in table.items():
        how = enforced(schema)
        if how == "grammar":
            held.append(f"`{name}`")
        else:
            rows.append(f"| `{name}` | {how} |")
    count = f"{len(held)} of {len(table)} by grammar alone."
    return [f"## {title}\n", f"{count}\n", "| Type | How |\n|---|---|", f"| {', '.join(held)} | grammar |", *rows, ""]


def enforced(schema: Any) -> str:
    """How a schema is enforced, in words."""
    source = json.dumps(schema)
    try:
        found = translate(source)
        validation.validator(source)
    except InvalidSchema as error:
        reason = error.message.partition("refused")[2].lstrip(": ").partition(" (at ")[0]
        return f"refused: {reason.partition('Input should be')[0] or 'its type is none of JSON'}".replace("|", "\\|")
    parts = [f"validated: {', '.join(f'`{each}`' for each in found.checked)}"] if found.checked else ["grammar"]
    if found.ignored:
        parts.append(f"ignored: {', '.join(f'`{each}`' for each in found.ignored)}")
    return "; ".join(parts)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
