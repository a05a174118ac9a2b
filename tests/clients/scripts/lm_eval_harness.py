"""lm-evaluation-harness on small tasks: its own chat and completions models, and the model ``mainspring``."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from checks import BASE, KEY, SCRIPTED, SMALL, check, imported, run

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src"))
PLACE = Path(tempfile.mkdtemp())
ROWS = [
    {"q": "The capital of France is", "options": [" Paris", " Berlin"], "right": 0, "said": "SAY Paris"},
    {"q": "The opposite of hot is", "options": [" green", " cold"], "right": 1, "said": "SAY cold"},
]
(PLACE / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {rows}}}
test_split: train
output_type: {kind}
doc_to_text: "{text}"
doc_to_target: "{target}"
{more}
metric_list: [{{metric: {metric}, aggregation: mean, higher_is_better: true}}]
"""
TASKS = (
    ("say", "generate_until", "{{said}}", "{{options[right] | trim}}", "exact_match", ""),
    ("written", "generate_until", "{{q}}", "{{options[right] | trim}}", "exact_match", ""),
    ("choose", "multiple_choice", "{{q}}", "{{right}}", "acc", 'doc_to_choice: "{{options}}"'),
)
for name, kind, text, target, metric, more in TASKS:
    if kind == "generate_until":
        more = 'generation_kwargs: {until: ["\\n"], max_gen_toks: 8}'
    made = TASK.format(
        name=name, rows=PLACE / "rows.jsonl", kind=kind, text=text, target=target, metric=metric, more=more
    )
    # The space between a question and its options is theirs.
    (PLACE / f"{name}.yaml").write_text(made + ('target_delimiter: ""\n' if name == "choose" else ""))


def evaluated(task, kind, *more, module="lm_eval", **arguments):
    """The results of a task, and its logged samples."""
    out = Path(tempfile.mkdtemp())
    environment = os.environ | {"OPENAI_API_KEY": KEY, "HF_HUB_OFFLINE": "1", "HF_HOME": str(PLACE / "hf")}
    environment |= {"MAINSPRING_API_KEY": KEY, "PYTHONPATH": os.pathsep.join(sys.path[:2])}
    told = ",".join(f"{name}={value}" for name, value in arguments.items())
    command = [sys.executable, "-m", module, "run", "--model", kind, "--model_args", told, "--tasks", task]
    command += ["--include_path", str(PLACE), "--output_path", str(out), "--log_samples", *more]
    ran = subprocess.run(command, env=environment, cwd=PLACE, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-600:]
    (results,) = out.rglob("results_*.json")
    (samples,) = out.rglob("samples_*.jsonl")
    # What it wrote becomes an experiment.
    (kept,) = imported(out)
    assert (kept["samples"], kept["left_out"]) == (len(ROWS), {})
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    return json.loads(results.read_text())["results"][task], lines


@check("local-chat-completions.generate_until")
def _():
    found, samples = evaluated(
        "say", "local-chat-completions", "--apply_chat_template", model=SCRIPTED, base_url=f"{BASE}/chat/completions"
    )
    assert found["exact_match,none"] == 1.0
    assert len(samples) == 2


@check("local-completions.generate_until")
def _():
    _, samples = evaluated(
        "written",
        "local-completions",
        model=SMALL,
        base_url=f"{BASE}/completions",
        tokenizer_backend="None",
        tokenized_requests="False",
    )
    assert all(isinstance(each["filtered_resps"][0], str) for each in samples)


@check("mainspring.multiple_choice")
def _():
    found, samples = evaluated(
        "choose", "mainspring", module="mainspring.testing.harness", model=SMALL, base_url=BASE, concurrent=2
    )
    assert found["acc,none"] == 1.0
    assert all(float(value) < 0 for each in samples for value, _ in each["filtered_resps"])


def likely(*pairs, **more):
    from lm_eval.api.instance import Instance

    from mainspring.testing.harness import HarnessModel

    model = HarnessModel(SMALL, BASE, KEY, **more)
    return model, [Instance("loglikelihood", {}, pair, place) for place, pair in enumerate(pairs)]


@check("mainspring.what_it_says_by_itself")
def _():
    context = "The capital of France is"
    model, (first, second, third) = likely((context, " Paris"), (context, " Quito"), ("", context))
    (paris, said), (quito, unsaid), (whole, _) = model.loglikelihood([first, second, third])
    assert paris > quito
    assert (said, unsaid) == (True, False)
    # A text as a whole is a continuation of nothing.
    from lm_eval.api.instance import Instance

    (rolling,) = model.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, (context,), 0)])
    assert abs(rolling - whole) < 0.5


@check("mainspring.errors_are_told")
def _():
    model, requests = likely(("a", " b"), greedy="false")
    model.model = "nobody"
    said = ""
    try:
        model.loglikelihood(requests)
    except RuntimeError as error:
        said = str(error)
    assert "nobody" in said


if __name__ == "__main__":
    run("lm-evaluation-harness", "lm-eval")
