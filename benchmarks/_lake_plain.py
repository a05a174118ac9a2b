"""A plain script that does what a build does, as one would write it with DuckDB and datasketch; and, with ``--ours``,
the build's steps over the same rows. Prints rows and CPU seconds as JSON."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

_PATTERNS = {
    "[EMAIL]": re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
    "[PHONE]": re.compile(r"\+?\d[\d \-()]{7,}\d"),
    "[CARD]": re.compile(r"\b(?:\d[ -]?){13,16}\b"),
    "[IBAN]": re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b"),
    "[SSN]": re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
}


def plain(pattern: str, out: Path, most: int) -> dict[str, Any]:
    """DuckDB reads and drops, datasketch removes near-duplicates, JSON lines are written."""
    import duckdb
    from datasketch import MinHash, MinHashLSH

    began = time.process_time()
    query = f"""
        SELECT answer_id, messages, answer, thumb
        FROM (SELECT * FROM read_parquet('{pattern}', hive_partitioning = false) ORDER BY "at" LIMIT {most})
        WHERE status = 'completed' AND finish = 'stop' AND consent AND NOT synthetic AND coalesce(thumb, '') <> 'down'
    """
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    rows = connection.execute(query).fetchall()
    index = MinHashLSH(threshold=0.8, num_perm=128)
    seen: set[str] = set()
    written = 0
    with out.open("w", encoding="utf-8") as file:
        for answer_id, messages, answer, _ in rows:
            said = json.loads(messages)
            for name, each in _PATTERNS.items():
                answer = each.sub(name, answer)
                for message in said:
                    message["content"] = each.sub(name, message["content"])
            text = f"{said[-1]['content']}\n{answer}".lower()
            if text in seen:
                continue
            seen.add(text)
            made = MinHash(num_perm=128)
            made.update_batch([text[place : place + 8].encode() for place in range(max(1, len(text) - 7))])
            if index.query(made):
                continue
            index.insert(answer_id, made)
            file.write(json.dumps({"messages": [*said, {"role": "assistant", "content": answer}]}) + "\n")
            written += 1
    there = connection.execute(f"SELECT count(*) FROM read_parquet('{pattern}')").fetchall()[0][0]
    return {"rows": min(most, there), "kept": written, "cpu_s": time.process_time() - began}


def ours(pattern: str, most: int) -> dict[str, Any]:
    """All steps of a build over the same rows, in this process."""
    import glob

    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

    from mainspring.features.lake.files.interaction_rows import interaction_schema
    from mainspring.features.lake.steps import cross_row_steps
    from mainspring.features.lake.steps.options import BuildSettings
    from mainspring.features.lake.steps.pipeline import cleaned

    began = time.process_time()
    options = BuildSettings()
    table = ds.dataset(glob.glob(pattern, recursive=True), schema=interaction_schema()).sort_by("at").head(most)
    made = [cleaned(batch, options) for batch in table.combine_chunks().to_batches(2048)]
    rest = pa.Table.from_batches(made)
    rest = rest.filter(pa.compute.equal(rest.column("step"), "")).combine_chunks()
    exact = np.frombuffer(b"".join(rest.column("exact").to_pylist()), np.uint64).reshape(-1, 2)
    minhash = np.frombuffer(b"".join(rest.column("minhash").to_pylist()), np.uint32).reshape(-1, 128)
    rows = np.flatnonzero(cross_row_steps.exact_duplicates(exact) == cross_row_steps.NONE)
    near = cross_row_steps.near_duplicates(minhash, rows, options.similar)
    return {
        "rows": table.num_rows,
        "kept": int((near == cross_row_steps.NONE).sum()),
        "cpu_s": time.process_time() - began,
    }


if __name__ == "__main__":
    if sys.argv[1] == "--ours":
        print(json.dumps(ours(sys.argv[2], int(sys.argv[3]))))
    else:
        print(json.dumps(plain(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
