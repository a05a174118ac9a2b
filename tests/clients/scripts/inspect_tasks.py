"""Inspect (inspect_ai) on small tasks, through its provider for endpoints that speak OpenAI's."""

import os
import tempfile

from checks import BASE, KEY, SCRIPTED, SMALL, check, imported, run

os.environ |= {"MAINSPRING_BASE_URL": BASE, "MAINSPRING_API_KEY": KEY, "INSPECT_LOG_DIR": tempfile.mkdtemp()}

from inspect_ai import Task, eval  # noqa: A004
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.scorer import includes, match
from inspect_ai.solver import generate, system_message, use_tools
from inspect_ai.tool import tool


@tool
def weather():
    async def execute(city: str) -> str:
        """The weather of a city.

        Args:
            city: Its name.
        """
        return f"sunny in {city}"

    return execute


def ran(task, model, **more):
    (log,) = eval(task, model=f"openai-api/mainspring/{model}", display="none", **more)
    assert log.status == "success", log.error
    return log


@check("eval.scored")
def _():
    samples = [Sample(input="SAY Paris", target="Paris", id="a"), Sample(input="SAY Rome", target="Oslo", id="b")]
    log = ran(Task(dataset=samples, solver=[system_message("Be brief."), generate()], scorer=match()), SCRIPTED)
    assert log.results.scores[0].metrics["accuracy"].value == 0.5


@check("eval.tools")
def _():
    sample = Sample(input='CALL weather {"city": "Paris"}', target="sunny in Paris")
    log = ran(Task(dataset=[sample], solver=[use_tools(weather()), generate()], scorer=includes()), SCRIPTED)
    assert log.results.scores[0].metrics["accuracy"].value == 1.0


@check("eval.epochs_small_model")
def _():
    task = Task(dataset=[Sample(input="hello", target="hello")], solver=generate(), scorer=includes())
    log = ran(task, SMALL, epochs=2, max_tokens=8, temperature=0.5, seed=3)
    assert log.results.completed_samples == 2
    # The log is an archive that is read again.
    read = read_eval_log(log.location)
    assert all(each.output.usage.output_tokens for each in read.samples)
    (kept,) = imported(log.location)
    assert (kept["samples"], kept["left_out"]) == (2, {})


@check("eval.log_probabilities")
def _():
    task = Task(dataset=[Sample(input="hello", target="x")], solver=generate(), scorer=includes())
    log = ran(task, SMALL, max_tokens=4, logprobs=True, temperature=0.0)
    assert log.samples[0].output.choices[0].logprobs.content


if __name__ == "__main__":
    run("Inspect", "inspect-ai", "openai")
