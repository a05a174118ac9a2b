"""DSPy: predictions, chains of thought, agents and embeddings."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["DSPY_CACHEDIR"] = os.path.join(os.getcwd(), "dspy-cache")

import dspy
from checks import BASE, COLLECTION, EMBEDDER, KEY, QUESTION, SCRIPTED, SMALL, check, raises, run
from pydantic import BaseModel


class Event(BaseModel):
    name: str
    count: int


def lm(name=SCRIPTED, **more):
    return dspy.LM(f"openai/{name}", api_base=BASE, api_key=KEY, cache=False, num_retries=0, **more)


KINDS = {"chat": "chat", "responses": "responses"}
ANSWER = 'SAY {"reasoning": "so it is", "answer": "yes"} END'
EVENT = 'SAY {"event": {"name": "tea", "count": 7}} END'


def text(said):
    first = said[0]
    return first["text"] if isinstance(first, dict) else first


@check("call", KINDS)
def _(kind):
    assert text(lm(model_type=kind)("SAY yes")) == "yes"


@check("collection", KINDS)
def _(kind):
    assert "9 months" in text(lm(COLLECTION, model_type=kind)(QUESTION))


@check("small_model", KINDS)
def _(kind):
    assert text(lm(SMALL, model_type=kind, temperature=0.2, max_tokens=200)("What is the capital of France?"))


@check("predict", KINDS)
def _(kind):
    with dspy.context(lm=lm(model_type=kind), adapter=dspy.JSONAdapter()):
        assert dspy.Predict("question -> answer")(question=ANSWER).answer


@check("typed", KINDS)
def _(kind):
    class Made(dspy.Signature):
        """Make an event."""

        question: str = dspy.InputField()
        event: Event = dspy.OutputField()

    with dspy.context(lm=lm(model_type=kind), adapter=dspy.JSONAdapter()):
        assert dspy.Predict(Made)(question=EVENT).event.count == 7


@check("chain_of_thought", KINDS)
def _(kind):
    with dspy.context(lm=lm(model_type=kind), adapter=dspy.JSONAdapter()):
        made = dspy.ChainOfThought("question -> answer")(question=ANSWER)
    assert made.answer
    assert made.reasoning


@check("async", KINDS)
async def _(kind):
    with dspy.context(lm=lm(model_type=kind), adapter=dspy.JSONAdapter()):
        assert (await dspy.Predict("question -> answer").acall(question=ANSWER)).answer


@check("text_completion.call")
def _():
    assert text(
        dspy.LM(f"text-completion-openai/{SMALL}", model_type="text", api_base=BASE, api_key=KEY, cache=False)("Once")
    )


@check("embeddings.embed")
def _():
    made = dspy.Embedder(f"openai/{EMBEDDER}", api_base=BASE, api_key=KEY, caching=False)
    assert made(["one", "two"]).shape == (2, 384)


@check("errors.context_window")
def _():
    raises(dspy.ContextWindowExceededError, lambda: lm(SMALL)("word " * 20_000))


if __name__ == "__main__":
    run("DSPy", "dspy", "litellm")
