"""What one step of a training keeps and takes on a processor, for recipes of chat models and encoders.

Bases have random weights in the real architectures, and a tokenizer of one token a word, so that rows have the length
that is wanted. Trainers and losses are those of the recipes.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from mainspring.training.chat.recipe_list import RECIPES as CHAT
from mainspring.training.encoders.recipe_list import RECIPES as ENCODERS
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.parallel.memory import MemoryPlan
from mainspring.training.run import Run

RECIPES = {each.name: each for each in (*CHAT, *ENCODERS)}
_TEMPLATE = "{% for message in messages %}{{ message['content'] + ' ' }}{% endfor %}"
_TASKS = {
    "reranker": ("Reranking", "rerank"),
    "nli": ("Inference", "nli"),
    "classifier": ("Classifying", "labelled"),
    "reader": ("ReadingTask", "reading"),
    "embedder": ("Embedding", "triplet"),
}
_REWARDED = {"rewards": [{"name": "exact"}]}


@dataclass(frozen=True, slots=True)
class Step:
    """``config`` is that of the base in transformers; ``shorter``: tokens by which all rows but one are shorter."""

    recipe: str
    config: Mapping[str, Any]
    batch: int
    length: int
    options: Mapping[str, Any] = field(default_factory=dict)
    shorter: int = 5

    @property
    def asked(self) -> dict[str, Any]:
        """The options of the run."""
        rewarded = {**_REWARDED, "new_tokens": self.length // 2} if self.recipe in ("grpo", "ppo") else {}
        group = {"group": self.batch} if self.recipe == "grpo" else {}
        return {"batch": self.batch, "length": self.length, **rewarded, **group, **self.options}


def llama(width: int, layers: int, heads: tuple[int, int], inner: int, words: int, **more: Any) -> dict[str, Any]:
    """A configuration of the family; ``heads`` of queries and of keys."""
    return {
        "model_type": "llama",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "intermediate_size": inner,
        "vocab_size": words,
        "tie_word_embeddings": True,
        **more,
    }


def bert(width: int, layers: int, heads: int, inner: int, words: int = 1_000) -> dict[str, Any]:
    """A configuration of an encoder."""
    return {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "vocab_size": words,
    }


def base(folder: Path, config: Mapping[str, Any]) -> Path:
    """The folder of a base with random weights."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModelForCausalLM, BertConfig, BertModel

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<eos>"]
    words += [f"w{number}" for number in range(len(words), config["vocab_size"])]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if config["model_type"] == "bert":
        from safetensors.torch import save_file

        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        weights = BertModel(BertConfig(**config)).state_dict()
        save_file({name: each for name, each in weights.items() if "_ids" not in name}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
    else:
        named = {name: value for name, value in config.items() if name != "model_type"}
        made = AutoModelForCausalLM.from_config(AutoConfig.for_model(config["model_type"], **named))
        made.save_pretrained(folder)
        told = {"eos_token": "<eos>", "chat_template": _TEMPLATE}
        (folder / "tokenizer_config.json").write_text(json.dumps(told), encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def measured(step: Step, folder: Path) -> MemoryPlan:
    """What there is while one batch goes forwards and backwards after a step of the optimiser: ``activations`` is what
    autograd keeps, ``workspace`` how much more is there at the moment with most."""
    import torch

    on = base(folder / "base", step.config)
    made = Folder(folder / "run")
    made.create(RunRequest(step.recipe, step.asked, seed=3, base=str(on)))
    lines = "".join(json.dumps(row) + "\n" for row in _rows(step))
    (made.data / "train.jsonl").write_text(lines, encoding="utf-8")
    for side in ("validation", "test"):
        (made.data / f"{side}.jsonl").write_text("", encoding="utf-8")
    run = Run(RECIPES[step.recipe], made, made.asked)
    model, forward = _encoder(step, run) if step.recipe in _TASKS else _chat(step, run)
    model.train()
    activations = kept(model, forward)
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW([each for each in parameters if each.requires_grad])
    forward().backward()
    optimiser.step()
    moments = sum(
        value.nbytes for state in optimiser.state.values() for value in state.values() if torch.is_tensor(value)
    )
    gc.collect()
    most = peak(lambda: forward().backward())
    return MemoryPlan(
        sum(each.nbytes for each in parameters),
        sum(each.grad.nbytes for each in parameters if each.grad is not None),
        moments,
        activations,
        most - activations,
    )


def kept(model: Any, forward: Callable[[], Any]) -> int:
    """Bytes of the distinct storages that autograd saves in a pass forwards, without weights."""
    import torch

    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    found: dict[int, int] = {}
    alive: list[Any] = []

    def pack(saved: Any) -> Any:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
            alive.append(storage)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        forward()
    return sum(found.values())


def peak(run: Callable[[], Any]) -> int:
    """The most bytes that torch has allocated at a moment of ``run``, beyond those that were there before."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as told:
        run()
    events = [each for each in told.profiler.kineto_results.events() if each.name() == "[memory]"]
    now = most = 0
    for each in sorted(events, key=lambda event: event.start_ns()):
        now += each.nbytes()
        most = max(most, now)
    return most


def _said(count: int, seed: int, words: int) -> str:
    import numpy as np

    return " ".join(f"w{each}" for each in np.random.default_rng(seed).integers(5, words, count))


def _rows(step: Step) -> list[dict[str, Any]]:
    said, length = partial(_said, words=step.config["vocab_size"]), step.length
    found: list[dict[str, Any]] = []
    # Of the rows of encoders some are kept for validation.
    for number in range(2 * step.batch if step.recipe in _TASKS else step.batch):
        whole, half = said(length, number), said(length // 2, 1_000 + number)
        passage = said(length, 2_000 + number)
        if step.recipe == "reranker":
            found.append({"query": half, "passage": passage, "label": number % 2})
        elif step.recipe == "nli":
            label = ("entailment", "neutral", "contradiction")[number % 3]
            found.append({"premise": passage, "hypothesis": half, "label": label})
        elif step.recipe == "classifier":
            found.append({"text": whole, "label": str(number % 4)})
        elif step.recipe == "reader":
            start = passage.index(" ") + 1
            end = passage.index(" ", start)
            row = {"question": said(4, number), "passage": passage, "answerable": True}
            found.append({**row, "start": start, "end": end, "answer": passage[start:end], "answer_start": start})
        elif step.recipe == "embedder":
            found.append({"anchor": whole, "positive": passage, "negative": said(length, 3_000 + number)})
        else:
            asked = said(length - length // 2 - (step.shorter if number else 0), number)
            found.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": "w9"}]})
    return found


def _encoder(step: Step, run: Run) -> tuple[Any, Callable[[], Any]]:
    from mainspring.training.encoders import weights
    from mainspring.training.encoders.data import rows
    from mainspring.training.encoders.loop import autocast

    name, reads = _TASKS[step.recipe]
    sides = rows.sides(run, getattr(rows, reads), 1_000)
    module = import_module(f"mainspring.training.encoders.{step.recipe}")
    options: Any = run.options
    task = getattr(module, name)(weights.read(run.base), sides.train, [], options, 1)

    def forward() -> Any:
        with autocast(options.precision):
            return task.loss(range(step.batch))

    return task.model, forward


def _chat(step: Step, run: Run) -> tuple[Any, Callable[[], Any]]:
    import torch

    from mainspring.training.chat.tuning import Tuning

    options: Any = run.options
    tuning = Tuning(run, options, head="score" if step.recipe == "reward" else "causal")
    if step.recipe == "ppo":
        return tuning.model, _ppo(run, tuning)
    trainer = _trainer(step, run, tuning)
    model = trainer.accelerator.prepare_model(trainer.model)
    model.train()
    trainer.current_gradient_accumulation_steps = 1
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))

    def forward() -> Any:
        with trainer.compute_loss_context_manager():
            return trainer.compute_loss(model, dict(batch), num_items_in_batch=torch.tensor(7))

    return model, forward


def _trainer(step: Step, run: Run, tuning: Any) -> Any:
    from mainspring.training.chat.recipes import distil, dpo, grpo, kto, reward, sft
    from mainspring.training.chat.rewards import Rewards
    from mainspring.training.chat.rows import AnswerPair, Thumb, questions

    options: Any = run.options
    said = partial(_said, words=step.config["vocab_size"])
    counts = [step.length - (step.shorter if number else 0) for number in range(step.batch)]
    if step.recipe in ("sft", "distil"):
        ids = [[int(word[1:]) for word in said(count, place).split()] for place, count in enumerate(counts)]
        learning = [{"input_ids": each, "labels": each} for each in ids]
        if step.recipe == "sft":
            return sft.make(run, tuning, learning, [])
        return _distilling(distil, run, tuning, learning)
    if step.recipe == "grpo":
        asked = questions(run, "train", tuning.writer, right="")
        return grpo.make(run, tuning, asked, Rewards(options, run.given))
    # A trainer ends an answer by a token of its own.
    halves = [(said(count // 2, place) + " ", count - count // 2 - 1) for place, count in enumerate(counts)]
    if step.recipe == "kto":
        thumbs = [Thumb(one, said(rest, 50 + at), at % 2 == 0) for at, (one, rest) in enumerate(halves)]
        return kto.make(run, tuning, thumbs, [])
    pairs = [AnswerPair(one, said(rest, 50 + at), said(rest, 90 + at)) for at, (one, rest) in enumerate(halves)]
    return (dpo if step.recipe == "dpo" else reward).make(run, tuning, pairs, [])


def _distilling(distil: Any, run: Run, tuning: Any, learning: list[dict[str, Any]]) -> Any:
    """The trainer of ``distil.by_logits``; the base is its own teacher."""
    from datasets import Dataset
    from trl import SFTConfig

    from mainspring.training.chat import base_weights, loop

    options: Any = run.options
    config = SFTConfig(
        **loop.arguments(run, tuning, len(learning)),
        **loop.evaluating(options, len(learning), 0),
        max_length=options.length,
    )
    table = Dataset.from_list(learning)
    trainer = distil._Distilling(tuning.model, args=config, train_dataset=table, processing_class=tuning.tokenizer)
    trainer.taught_by(distil._Teacher(base_weights.find(run.base), options).model, 1.0, 0.5)
    return trainer


def _ppo(run: Run, tuning: Any) -> Callable[[], Any]:
    import torch

    from mainspring.training.chat.recipes.ppo import AdapterPpo
    from mainspring.training.chat.rewards import Rewards
    from mainspring.training.chat.rows import questions

    options: Any = run.options
    asked = questions(run, "train", tuning.writer, right="")
    ppo = AdapterPpo(run, tuning, asked, Rewards(options, run.given))
    rollout = ppo._answered(ppo._drawn(1))
    start, written = rollout.ids.shape[1] - rollout.written.shape[1], rollout.written.float()

    def forward() -> Any:
        with tuning.computing(learning=True):
            likelihoods, values = ppo._read(rollout.ids, rollout.mask, start)
        ratio = ((likelihoods - rollout.likelihoods) * written).exp()
        bounded = ratio.clamp(1 - options.clip, 1 + options.clip) * rollout.advantages
        policy = -(torch.minimum(ratio * rollout.advantages, bounded) * written).sum()
        return policy + ((values - rollout.returns) ** 2 * written).sum()

    return forward
