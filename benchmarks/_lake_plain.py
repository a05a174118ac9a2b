"""A plain script that does what a build does, as one would write it with DuckDB and datasketch; and, with ``--ours``,
the build's steps over the same rows; with ``--ray`` those on a local Ray, and with ``--plain-ray`` the plain work as a
pipeline of Ray Data. Prints rows and CPU seconds as JSON."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
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

    began = time.process_time()
    query = f"""
        SELECT answer_id, messages, answer, thumb
        FROM (SELECT * FROM read_parquet('{pattern}', hive_partitioning = false) ORDER BY "at" LIMIT {most})
        WHERE status = 'completed' AND finish = 'stop' AND consent AND NOT synthetic AND coalesce(thumb, '') <> 'down'
    """
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    rows = connection.execute(query).fetchall()
    written = 0
    with out.open("w", encoding="utf-8") as file:
        for line in _lines((name, messages, answer) for name, messages, answer, _ in rows):
            file.write(line + "\n")
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


def on_ray(pattern: str, most: int, *, steps: bool) -> dict[str, Any]:
    """Our steps, or the plain work, as a pipeline of Ray Data; the CPU seconds of all its processes
    after it has started."""
    import glob

    import pyarrow.dataset as ds
    import ray
    from ray._private.utils import psutil  # Ray brings its own

    from mainspring.features.lake.files.interaction_rows import interaction_schema
    from mainspring.features.lake.steps.options import BuildSettings
    from mainspring.features.lake.steps.pipeline import cleaned_table

    table = ds.dataset(glob.glob(pattern, recursive=True), schema=interaction_schema()).sort_by("at").head(most)
    me = psutil.Process()

    def spent() -> float:
        # Ray's own processes leave the tree of this one.
        mine = {each.pid: each for each in me.children(recursive=True)} | {me.pid: me}
        mine |= {each.pid: each for each in psutil.process_iter() if _of_ray(each, me)}
        return float(sum(sum(each.cpu_times()[:2]) for each in mine.values()))

    ray.init(num_cpus=1, log_to_driver=False, include_dashboard=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    plain_options = BuildSettings().model_dump()
    ray.get(ray.remote(lambda: 1).remote())
    before = spent()

    def clean(batch: Any) -> Any:
        return cleaned_table(batch, plain_options)

    work = clean if steps else _plain_batch
    found = ray.data.from_arrow(table.combine_chunks()).map_batches(work, batch_size=2048, batch_format="pyarrow")
    kept = 0
    for made in found.iter_batches(batch_size=None, batch_format="pyarrow"):
        kept += made.num_rows if not steps else made.column("step").to_pylist().count("")
    cpu_s = spent() - before
    ray.shutdown()
    return {"rows": table.num_rows, "kept": kept, "cpu_s": cpu_s, "start_s": before}


def _of_ray(process: Any, me: Any) -> bool:
    try:
        name = " ".join(process.cmdline()[:2])
        return process.create_time() >= me.create_time() and ("ray::" in name or "/ray/" in name)
    except Exception:  # it has ended, or is somebody else's
        return False


def _lines(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """JSON lines of rows (id, messages as JSON, answer), without personal data, duplicates and near-duplicates."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.8, num_perm=128)
    seen: set[str] = set()
    for name, messages, answer in rows:
        said = json.loads(messages)
        for placeholder, each in _PATTERNS.items():
            answer = each.sub(placeholder, answer)
            for message in said:
                message["content"] = each.sub(placeholder, message["content"])
        text = f"{said[-1]['content']}\n{answer}".lower()
        if text in seen:
            continue
        seen.add(text)
        made = MinHash(num_perm=128)
        made.update_batch([text[place : place + 8].encode() for place in range(max(1, len(text) - 7))])
        if index.query(made):
            continue
        index.insert(name, made)
        yield json.dumps({"messages": [*said, {"role": "assistant", "content": answer}]})


def _plain_batch(table: Any) -> Any:
    """What the plain script does, of one batch: near-duplicates of other batches are not seen."""
    import pyarrow as pa

    wanted = (
        (row["answer_id"], row["messages"], row["answer"])
        for row in table.to_pylist()
        if row["status"] == "completed" and row["finish"] == "stop" and row["consent"] and not row["synthetic"]
        if row["thumb"] != "down"
    )
    return pa.table({"line": list(_lines(wanted))})


if __name__ == "__main__":
    if sys.argv[1] == "--ours":
        print(json.dumps(ours(sys.argv[2], int(sys.argv[3]))))
    elif sys.argv[1] in ("--ray", "--plain-ray"):
        print(json.dumps(on_ray(sys.argv[2], int(sys.argv[3]), steps=sys.argv[1] == "--ray")))
    else:
        print(json.dumps(plain(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
