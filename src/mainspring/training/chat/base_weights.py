"""A pulled chat model as a model of transformers with its tokenizer, and a trained one as a GGUF file again.

The catalogue keeps chat models as GGUF. Its tensors are dequantised one by one into the model's parameters: what is
trained starts from exactly the numbers that the gate of conversions (``engines.catalogue.perplexity``) compares with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, ModelError, Unsupported
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.chat.template import CHATML
from mainspring.training.chat import gguf_names
from mainspring.training.folder import read_json


@dataclass(frozen=True, slots=True)
class ChatBase:
    """A model to start from: its ``gguf`` file, or the ``folder`` of one that transformers reads; ``tokenizer.json``,
    template (Jinja) and the texts of special tokens."""

    name: str
    gguf: Path | None
    tokenizer: Path
    template: str
    bos: str = ""
    eos: str = ""
    licence: str = ""
    folder: Path | None = None


def find(folder: Path | None) -> ChatBase:
    """The model in ``folder``: a pulled one, or what was trained here. Raises ``InvalidRequest`` if there is none or it
    is no chat model, and ``Unsupported`` if its tokenizer is unknown here."""
    if folder is not None:
        for read in (_pulled, _trained, _plain):
            found = read(folder)
            if found is not None:
                return found
    raise InvalidRequest(
        "the run needs a chat model to start from",
        remedy="Name one with --base, and pull it with `mainspring models pull NAME`",
        param="base",
    )


def _pulled(folder: Path) -> ChatBase | None:
    manifest = read_json(folder / "manifest.json")
    if manifest is None or "roles" not in manifest:
        return None
    roles, described = manifest["roles"], manifest.get("described", {})
    name = str(manifest.get("name", folder.name))
    if "gguf" not in roles:
        raise InvalidRequest(f"{name} is not a chat model", remedy="Name one of the kind chat", param="base")
    if "tokenizer" not in roles:
        raise Unsupported(f"the tokenizer of {name} is unknown here, so it cannot be trained", param="base")
    return ChatBase(
        name,
        folder / roles["gguf"],
        folder / roles["tokenizer"],
        _template(name) or described.get("chat_template") or CHATML,
        described.get("bos") or "",
        described.get("eos") or "",
        str(manifest.get("license", "")),
    )


def _trained(folder: Path) -> ChatBase | None:
    """What a run over all weights wrote."""
    told = read_json(folder / "base.json")
    if told is None:
        return None
    return ChatBase(**{**told, "gguf": folder / told["gguf"], "tokenizer": folder / told["tokenizer"], "folder": None})


def _plain(folder: Path) -> ChatBase | None:
    """A folder as transformers writes it."""
    if not all((folder / name).exists() for name in ("config.json", "model.safetensors", "tokenizer.json")):
        return None
    told = read_json(folder / "tokenizer_config.json") or {}
    template = folder / "chat_template.jinja"
    text = template.read_text(encoding="utf-8") if template.exists() else told.get("chat_template")
    bos, eos = (_token(told.get(f"{kind}_token")) for kind in ("bos", "eos"))
    known = _words(folder / "tokenizer.json")
    # The plain template ends turns by this token, if the vocabulary has it.
    eos = eos or next((each for each in ("<|im_end|>", "<|endoftext|>", "</s>", "<eos>") if each in known), "")
    if not eos:
        raise Unsupported(f"{folder.name}: its tokenizer has no token that ends a text", param="base")
    plain = CHATML if "<|im_start|>" in known else _LINES
    return ChatBase(folder.name, None, folder / "tokenizer.json", text or plain, bos, eos, folder=folder)


_LINES = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
"""For vocabularies without tokens for turns."""


def _token(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


def _words(path: Path) -> set[str]:
    found = read_json(path) or {}
    added = {str(each.get("content")) for each in found.get("added_tokens", ())}
    vocabulary = found.get("model", {}).get("vocab", {})
    return added | set(vocabulary if isinstance(vocabulary, dict) else ())


def _template(name: str) -> str | None:
    """The catalogue's own template of a model, where that differs from the file's: it is served with this one."""
    from mainspring.core import settings
    from mainspring.core.errors import MainspringError
    from mainspring.engines.catalogue.entries import Catalogue

    try:
        entry = Catalogue.load(settings.load().settings).get(name)
    except MainspringError:
        return None
    return entry.chat_template if entry.chat_template != "gguf" else None


def model(base: ChatBase, dtype: str = "float32", *, head: str = "causal") -> Any:
    """The model of transformers with these weights. ``head``: ``causal``, or ``score`` for one number of a text (its
    last layer is new). Raises ``Unsupported``, ``ModelError``."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.initialization import no_init_weights

    kind = AutoModelForCausalLM if head == "causal" else AutoModelForSequenceClassification
    kept = {"dtype": getattr(torch, dtype), "attn_implementation": "sdpa"}
    if base.gguf is None:
        more = {} if head == "causal" else {"num_labels": 1}
        return kind.from_pretrained(base.folder, local_files_only=True, **kept, **more).eval()
    weights = GgufWeights(base.gguf)
    fields = gguf_names.config_fields(weights)
    if head == "score":
        fields["num_labels"] = 1
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    # Numbers that the file overwrites need not be drawn; those of a new last layer are.
    with no_init_weights():
        made = kind.from_config(config, **kept)
    made.tie_weights()
    if head == "score":
        torch.nn.init.normal_(made.score.weight, std=config.initializer_range)
    _fill(made, weights, skip={"lm_head.weight"} if head == "score" else set())
    if head == "causal":
        made.generation_config.eos_token_id = config.eos_token_id
    return made.eval()


def _fill(made: Any, weights: GgufWeights, skip: set[str]) -> None:
    import torch

    places = dict(made.named_parameters())
    left = set(places) - {"score.weight"}
    for name, values in gguf_names.tensors(weights):
        if name in skip:
            continue
        if name not in places or tuple(places[name].shape) != values.shape:
            raise ModelError(f"{weights.path.name}: the tensor {name} does not fit the model")
        with torch.no_grad():
            places[name].copy_(torch.tensor(values))
        left.discard(name)
    if left:
        raise ModelError(f"{weights.path.name} lacks {min(left)}")


def tokenizer(base: ChatBase) -> Any:
    """The tokenizer with template and special tokens. The padding token is never learned: a token of its own where the
    vocabulary has one, else the one that ends a text."""
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(
        tokenizer_file=str(base.tokenizer), bos_token=base.bos or None, eos_token=base.eos or None
    )
    made.chat_template = base.template
    # A pad that ends turns would be masked out of the loss by those that mask padding by its id.
    spare = [each for each in ("<pad>", "<|pad|>", "<|fim_pad|>", "<|endoftext|>") if each in made.get_vocab()]
    spare = [each for each in spare if each != base.eos] or [base.eos]
    made.pad_token = spare[0]
    return made


def write_gguf(base: ChatBase, trained: Any, target: Path) -> None:
    """``trained`` (a model of transformers, without an adapter) as a Q8_0 GGUF with the metadata of its base."""
    assert base.gguf is not None
    weights = GgufWeights(base.gguf)
    state = trained.state_dict()

    def values(name: str, old: Any) -> Any:
        found = state[gguf_names.torch_name(name)].detach().float().cpu().numpy()
        return gguf_names.turned(weights, name, found.reshape(old.shape), gguf_names.together)

    partial = target.with_name(f"{target.name}.partial")
    weights.write_q8_0(partial, values, lambda *_: None)
    partial.replace(target)
