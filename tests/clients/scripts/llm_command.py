"""The command ``llm``, with the server's models in its ``extra-openai-models.yaml``."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from checks import BASE, COLLECTION, KEY, QUESTION, SCRIPTED, SMALL, check, run

HOME = Path(tempfile.mkdtemp())
MODELS = "".join(
    f"- model_id: {name}\n  model_name: {name}\n  api_base: {BASE}\n  api_key_name: mainspring\n"
    f"  supports_tools: true\n  supports_schema: true\n"
    for name in (SCRIPTED, SMALL, COLLECTION)
)
(HOME / "extra-openai-models.yaml").write_text(MODELS)
(HOME / "keys.json").write_text(json.dumps({"mainspring": KEY}))
FUNCTIONS = 'def get_weather(city: str) -> str:\n    "The weather of a city."\n    return f"sunny in {city}"\n'


def llm(*arguments, given=""):
    environment = os.environ | {"LLM_USER_PATH": str(HOME), "PYTHONPATH": ""}
    command = [str(Path(sys.executable).parent / "llm"), *arguments]
    ran = subprocess.run(command, env=environment, input=given, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-500:]
    return ran.stdout.strip()


@check("prompt.stream")
def _():
    assert llm("-m", SCRIPTED, "SAY one two") == "one two"


@check("prompt.no_stream")
def _():
    assert llm("-m", SCRIPTED, "--no-stream", "-s", "Be brief.", "SAY yes") == "yes"


@check("prompt.piped")
def _():
    assert "yes" in llm("-m", SCRIPTED, "-s", "Be brief.", given="SAY yes")


@check("prompt.options_small_model")
def _():
    assert llm("-m", SMALL, "-o", "temperature", "0.2", "-o", "max_tokens", "20", "-o", "seed", "3", "hello")


@check("prompt.collection")
def _():
    assert "9 months" in llm("-m", COLLECTION, QUESTION)


@check("prompt.continued")
def _():
    llm("-m", SCRIPTED, "My name is Ada.")
    assert "read 3 messages" in llm("-c", "Who am I?")


@check("prompt.usage")
def _():
    environment = os.environ | {"LLM_USER_PATH": str(HOME), "PYTHONPATH": ""}
    command = [str(Path(sys.executable).parent / "llm"), "-m", SCRIPTED, "--usage", "SAY yes"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert "input" in ran.stderr


@check("prompt.fragment")
def _():
    text = HOME / "notes.txt"
    text.write_text("Tea is green.")
    assert "yes" in llm("-m", SCRIPTED, "-f", str(text), "SAY yes")


@check("tools.function")
def _():
    said = llm("-m", SCRIPTED, "--functions", FUNCTIONS, 'CALL get_weather {"city": "Paris"}')
    assert "sunny in Paris" in said


@check("tools.function_no_stream")
def _():
    said = llm("-m", SCRIPTED, "--no-stream", "--functions", FUNCTIONS, 'CALL get_weather {"city": "Paris"}')
    assert "sunny in Paris" in said


@check("schema.concise")
def _():
    assert "name" in json.loads(llm("-m", SCRIPTED, "--schema", "name, age int", "A dog"))


@check("schema.many")
def _():
    assert json.loads(llm("-m", SCRIPTED, "--schema-multi", "name, age int", "Dogs"))["items"]


@check("chat.session")
def _():
    assert "yes" in llm("chat", "-m", SCRIPTED, given="SAY yes\nexit\n")


if __name__ == "__main__":
    run("llm", "llm", "openai")
