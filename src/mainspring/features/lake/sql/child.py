"""Runs one query over Parquet files, as a process that can be killed: ``python -m mainspring.features.lake.sql.child``.

Reads a request as JSON from standard input and writes the answer as JSON to standard output. The query sees views over
the files that the request names. It reads no other file, opens no connection and changes nothing: files are opened here
and not by DuckDB, whose own access to the outside is off and cannot be turned on again.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import resource
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_SETTINGS = (
    "TimeZone = 'UTC'",
    "temp_directory = ''",
    "secret_directory = '/nonexistent'",
    "home_directory = '/nonexistent'",
    "extension_directory = '/nonexistent'",
    "allow_persistent_secrets = false",
    "python_enable_replacements = false",
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "allow_community_extensions = false",
    "enable_external_access = false",
    "lock_configuration = true",
)
_OVERHEAD_MB = 256
"""What reading files needs beside the memory of the query."""
_AT_ONCE = 1000


class Refused(Exception):
    """The query is refused, or has failed."""


def run(asked: Mapping[str, Any]) -> dict[str, Any]:
    """``columns`` with names and types, ``rows``, and whether they were ``truncated``. Raises ``Refused``."""
    import duckdb
    import pyarrow as pa

    # The usual pool reserves a gigabyte of addresses, which the limit counts.
    pa.set_memory_pool(pa.system_memory_pool())
    memory = int(asked["memory_mb"])
    connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": f"{memory}MB"})
    for name, view in asked["views"].items():
        _register(connection, name, view, str(asked.get("root") or ""))
    for setting in _SETTINGS:
        connection.execute(f"SET {setting}")
    _limit(memory)
    try:
        statements = connection.extract_statements(asked["query"])
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise Refused("only one SELECT is run")
        result = connection.execute(statements[0])
        columns = [{"name": each[0], "type": str(each[1])} for each in result.description or ()]
        rows, truncated = _fetched(result, int(asked["rows"]), int(asked["bytes"]))
    except duckdb.Error as error:
        raise Refused(" ".join(str(error).split())[:1000]) from None
    except MemoryError:
        raise Refused(f"the query needs more than {memory} MB of memory") from None
    return {"columns": columns, "rows": rows, "truncated": truncated}


def _register(connection: Any, name: str, view: Mapping[str, Any], root: str) -> None:
    import pyarrow as pa
    import pyarrow.dataset as ds

    if view["files"]:
        filesystem = None
        if "://" in root and not root.startswith("file://"):
            import fsspec
            from pyarrow.fs import FSSpecHandler, PyFileSystem

            filesystem = PyFileSystem(FSSpecHandler(fsspec.url_to_fs(root)[0]))
        schema = None
        for path in view["files"]:
            found = ds.dataset(path, format="parquet", filesystem=filesystem).schema
            # Files of old versions lack columns.
            schema = found if schema is None else pa.unify_schemas([schema, found])
        source: Any = ds.dataset(view["files"], schema=schema, format="parquet", filesystem=filesystem)
    else:
        source = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(view["schema"]))).empty_table()
    connection.register(f"_{name}", source)
    made = f'SELECT * FROM "_{name}"'  # noqa: S608 (names are ours)
    if view.get("newest"):
        # Of several rows of an answer the newest counts.
        made += " QUALIFY row_number() OVER (PARTITION BY answer_id ORDER BY revision DESC) = 1"
    connection.execute(f'CREATE VIEW "{name}" AS {made}')


def _limit(memory_mb: int) -> None:
    if not sys.platform.startswith("linux"):
        # Elsewhere DuckDB's own limit of memory is the only one.
        return
    # Private memory, not address space: libraries map far more than they touch.
    with open("/proc/self/status", encoding="ascii") as status:
        mapped_kb = next((int(line.split()[1]) for line in status if line.startswith("VmData:")), 0)
    limit = (memory_mb + _OVERHEAD_MB) * 2**20 + mapped_kb * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _fetched(result: Any, most_rows: int, most_bytes: int) -> tuple[list[list[Any]], bool]:
    rows: list[list[Any]] = []
    size = 0
    while found := result.fetchmany(min(_AT_ONCE, most_rows + 1 - len(rows))):
        for each in found:
            plain = [_plain(value) for value in each]
            size += len(json.dumps(plain))
            if len(rows) == most_rows or size > most_bytes:
                return rows, True
            rows.append(plain)
    return rows, False


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(each) for each in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return str(value)


def main() -> None:
    """One request, one answer."""
    asked = json.load(sys.stdin)
    try:
        answer = run(asked)
    except ImportError:
        answer = {"missing": "duckdb"}
    except Refused as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": f"the query needs more than {asked['memory_mb']} MB of memory"}
    except Exception as error:  # whatever fails here is the query's or a file's failure, and this process ends
        answer = {"error": f"{type(error).__name__}: {str(error)[:500]}"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
