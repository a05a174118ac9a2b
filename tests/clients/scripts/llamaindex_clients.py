"""LlamaIndex: ``OpenAILike`` (chat completions and responses), ``Anthropic``, embeddings, an index and agents."""

from checks import BASE, BOTH, CLAUDE, COLLECTION, EMBEDDER, KEY, PARIS, QUESTION, SCRIPTED, SMALL, URL, check, run
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai_like import OpenAILike, OpenAILikeResponses
from pydantic import BaseModel


class Event(BaseModel):
    """An event."""

    name: str
    count: int
    note: str | None = None


def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


TOOL = FunctionTool.from_defaults(get_weather)


def like(model=SCRIPTED, **more):
    shape = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 8192}
    return OpenAILike(model=model, api_base=BASE, api_key=KEY, max_retries=0, **shape | more)


def responses(model=SCRIPTED, **more):
    shape = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 8192}
    return OpenAILikeResponses(model=model, api_base=BASE, api_key=KEY, max_retries=0, **shape | more)


def anthropic(model=SCRIPTED, **more):
    return Anthropic(model=model, base_url=URL, api_key=KEY, max_retries=0, **more)


LLMS = {"openai_like": like, "responses": responses}


@check("chat", LLMS)
def _(made):
    answer = made().chat([ChatMessage(role="system", content="Be brief."), ChatMessage(content="SAY yes")])
    assert answer.message.content == "yes"


@check("complete", LLMS)
def _(made):
    assert made().complete("SAY yes").text == "yes"


@check("stream", LLMS)
def _(made):
    deltas = [part.delta or "" for part in made().stream_chat([ChatMessage(content="SAY one two")])]
    assert "".join(deltas) == "one two"


@check("async", LLMS)
async def _(made):
    assert (await made().achat([ChatMessage(content="SAY yes")])).message.content == "yes"
    parts = await made().astream_chat([ChatMessage(content="SAY one two")])
    assert "".join([part.delta or "" async for part in parts]) == "one two"


@check("tools", LLMS)
def _(made):
    llm = made()
    answer = llm.chat_with_tools([TOOL], user_msg=BOTH, allow_parallel_tool_calls=True)
    calls = llm.get_tool_calls_from_response(answer)
    assert [call.tool_kwargs["city"] for call in calls] == ["Paris", "Rome"]


@check("tools_required", LLMS)
def _(made):
    llm = made()
    answer = llm.chat_with_tools([TOOL], user_msg="hello", tool_required=True)
    assert llm.get_tool_calls_from_response(answer)


@check("structured", LLMS)
def _(made):
    answer = made().as_structured_llm(Event).chat([ChatMessage(content="An event")])
    assert answer.raw.name


@check("agent", LLMS)
async def _(made):
    agent = FunctionAgent(tools=[get_weather], llm=made(), system_prompt="Be brief.")
    assert "sunny in Paris" in str(await agent.run(PARIS))


@check("collection", LLMS)
def _(made):
    assert "9 months" in made(COLLECTION).chat([ChatMessage(content=QUESTION)]).message.content


@check("small_model", LLMS)
def _(made):
    assert made(SMALL, max_tokens=20, temperature=0.2).chat([ChatMessage(content="hello")]).message.content


@check("anthropic.chat")
def _():
    # It knows the windows of Anthropic's models alone.
    assert anthropic(CLAUDE).chat([ChatMessage(content="SAY yes")]).message.content == "yes"


@check("openai_like.react_agent")
async def _():
    agent = ReActAgent(tools=[get_weather], llm=like())
    assert "done" in str(await agent.run("SAY Thought: I can answer.\nAnswer: done"))


@check("openai_like.structured_predict")
def _():
    from llama_index.core.prompts import PromptTemplate

    llm = like(should_use_structured_outputs=True)
    assert llm.structured_predict(Event, PromptTemplate("An event")).count == 7


@check("openai_like.completions")
def _():
    assert like(SMALL, is_chat_model=False, max_tokens=5).complete("Once upon").text


def embedder():
    return OpenAILikeEmbedding(model_name=EMBEDDER, api_base=BASE, api_key=KEY, max_retries=0)


@check("embeddings.batch")
def _():
    assert len(embedder().get_text_embedding_batch(["one", "two"])[1]) == 384


@check("index.query")
def _():
    documents = [Document(text="Green tea steeps for two minutes."), Document(text="Stones are hard.")]
    index = VectorStoreIndex.from_documents(documents, embed_model=embedder())
    found = index.as_retriever(similarity_top_k=1).retrieve("How long does green tea steep?")
    assert "two minutes" in found[0].text
    assert str(index.as_query_engine(llm=like(), similarity_top_k=1).query("How long does green tea steep?"))


if __name__ == "__main__":
    run("LlamaIndex", "llama-index-core", "llama-index-llms-openai-like", "llama-index-llms-anthropic")
