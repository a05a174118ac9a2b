"""In the place of the ``conftest.py`` of OGX's integration tests: the official client and a server that runs already.

The tests import parts of OGX's server and of its own client, for types and errors that other servers do not have. These
imports are answered with empty classes.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import types
from typing import get_args

import pytest
from openai import OpenAI
from openai.types import Model
from openai.types.responses import ResponseError

ABSENT = ("ogx", "ogx_api", "ogx_client", "llama_stack_client", "mcp", "tests")


class Word(str):
    """A member of an enumeration, whose value is its name."""

    __slots__ = ()

    @property
    def value(self):
        return str(self)


class Meta(type):
    def __getattr__(cls, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Word(name.lower())


class Thing(metaclass=Meta):
    """Takes any arguments, and has those with a name as attributes; anything else is a function that does nothing."""

    def __init__(self, *_, **named):
        self.__dict__.update(named)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None

    def model_dump(self, **_):
        return dict(self.__dict__)


class Absent(types.ModuleType):
    """A module of OGX, whose names are empty classes: errors where they are called so."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "_VALID_RESPONSE_ERROR_CODES":
            return set(get_args(ResponseError.model_fields["code"].annotation))
        if name in ("make_mcp_server", "dependency_tools"):
            return lambda *_, **__: pytest.skip("no servers of tools here")
        made = type(name, (Exception,), {}) if name.endswith("Error") else Meta(name, (Thing,), {})
        setattr(self, name, made)
        return made


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ABSENT:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Absent(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.append(Finder())


def vector_provider_wrapper(function):
    """OGX repeats these tests for each of its stores."""
    return function


PROVIDER = types.SimpleNamespace(api="vector_io", provider_id="mainspring", provider_type="remote::mainspring")
# The tests ask each model for its provider.
OWN = {"provider_id": "mainspring", "provider_type": "remote::mainspring", "model_type": "llm"}
Model.custom_metadata = property(lambda model: OWN | {"provider_resource_id": model.id})


@pytest.fixture(scope="session")
def official_client():
    address = os.environ["CLIENTS_URL"] + "/v1"
    with OpenAI(base_url=address, api_key=os.environ["CLIENTS_KEY"], max_retries=0, timeout=60) as client:
        client.providers = types.SimpleNamespace(list=lambda: [PROVIDER])
        yield client


def pytest_collection_modifyitems(items):
    """A module makes clients of its own, with the address and the key of OGX's server."""
    own = {"base_url": os.environ["CLIENTS_URL"] + "/v1", "api_key": os.environ["CLIENTS_KEY"]}
    for module in {item.module for item in items}:
        if hasattr(module, "OpenAI"):
            module.OpenAI = lambda **named: OpenAI(**named | own)


def _same(name):
    """Another name of the client."""

    def client(official_client):
        return official_client

    return pytest.fixture(name=name, scope="session")(client)


# A module of tests has clients of this name, too.
openai_client = _same("openai_client")
compat_client = _same("compat_client")
responses_client = _same("responses_client")
client_with_models = _same("client_with_models")
ogx_client = _same("ogx_client")
compat_client_with_empty_stores = _same("compat_client_with_empty_stores")
client_with_empty_registry = _same("client_with_empty_registry")


@pytest.fixture
def require_server():
    return None


@pytest.fixture(scope="session")
def text_model_id():
    return "scripted"


@pytest.fixture(scope="session")
def embedding_model_id():
    return "all-minilm-l6-v2"


@pytest.fixture(scope="session")
def embedding_dimension():
    return 384


@pytest.fixture(scope="session")
def rerank_model_id():
    pytest.skip("OGX's own client reranks")


@pytest.fixture(scope="session")
def vision_model_id():
    pytest.skip("no model reads images")


@pytest.fixture(scope="session")
def vector_io_provider_id():
    return "mainspring"


@pytest.fixture
def langchain_chat(openai_client, text_model_id):
    from langchain_openai import ChatOpenAI

    def chat(use_previous_response_id=False):
        return ChatOpenAI(
            model=text_model_id,
            base_url=str(openai_client.base_url),
            api_key=openai_client.api_key,
            use_responses_api=True,
            use_previous_response_id=use_previous_response_id,
        )

    return chat


@pytest.fixture
def llama_stack_client():
    pytest.skip("OGX's own client is not run")
