"""What a run has at hand: the base model with an adapter (or all weights) that learns, its tokenizer and its texts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import set_seed

from mainspring.core.errors import Unsupported
from mainspring.training.chat import base_weights
from mainspring.training.chat.activations import TILE_TOKENS
from mainspring.training.chat.options import TuneOptions
from mainspring.training.chat.rows import Writer
from mainspring.training.recipe import Work


class Tuning:
    """Raises ``InvalidRequest`` and ``Unsupported`` for what this machine or the base cannot do."""

    def __init__(self, work: Work, options: TuneOptions, *, head: str = "causal") -> None:
        if threads := int(os.environ.get("OMP_NUM_THREADS", "0") or 0):
            torch.set_num_threads(threads)
        small_tiles()
        self.options = options
        self.head = head
        self.base = base_weights.find(work.base)
        self.precision = precision(options.precision)
        self.tokenizer = base_weights.tokenizer(self.base)
        self.writer = Writer(self.base.template, self.base.bos, self.base.eos)
        # The first weights of an adapter are random: the same for the same seed.
        set_seed(work.seed)
        self.model = self._model(work.checkpoints)
        self.device = next(self.model.parameters()).device

    @property
    def learns_all(self) -> bool:
        """Whether all weights learn."""
        return self.options.method == "full"

    def _model(self, scratch: Path) -> Any:
        dtype = "float32" if self.learns_all or self.precision != "bf16" else "bfloat16"
        if self.options.method == "qlora":
            found = quantised(self.base, scratch / ".base")
        else:
            found = base_weights.model(self.base, dtype, head=self.head)
            if torch.cuda.is_available():
                found = found.to("cuda")
        if self.options.gradient_checkpointing:
            found.gradient_checkpointing_enable({"use_reentrant": False})
            found.enable_input_require_grads()
        found.config.use_cache = False
        return found if self.learns_all else self.adapted(found)

    def adapted(self, model: Any) -> Any:
        """``model`` with an adapter that learns; with ``score``, the new last layer learns, too."""
        options = self.options
        config = LoraConfig(
            task_type=TaskType.CAUSAL_LM if self.head == "causal" else TaskType.SEQ_CLS,
            r=options.rank,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            target_modules=list(options.modules),
            modules_to_save=None if self.head == "causal" else ["score"],
            bias="none",
        )
        return get_peft_model(model, config)

    @contextlib.contextmanager
    def computing(self, *, learning: bool = False) -> Iterator[None]:
        """Within it, numbers are as precise as the run's; without gradients unless ``learning``."""
        kind = self.device.type
        mixed = self.precision in ("bf16", "fp16")
        with contextlib.ExitStack() as stack:
            if mixed:
                dtype = torch.bfloat16 if self.precision == "bf16" else torch.float16
                stack.enter_context(torch.autocast(kind, dtype))
            if not learning:
                stack.enter_context(torch.no_grad())
            yield

    @contextlib.contextmanager
    def as_before(self) -> Iterator[Any]:
        """The model as it was before training: without its adapter. Not for runs in which all weights learn."""
        with self.model.disable_adapter():
            yield self.model


def small_tiles() -> None:
    """Have trl's head work in tiles of fewer tokens on a processor, where a tile has several copies in full precision
    while its gradient is computed. On a GPU it has none."""
    from trl.kernels import chunked_logprob

    if not torch.cuda.is_available():
        chunked_logprob.TOKEN_CHUNK_SIZE = TILE_TOKENS


def precision(wanted: str) -> str:
    """``bf16``, ``fp16`` or ``fp32``. Raises ``Unsupported``: fp16 with its loss scaling needs a GPU."""
    if wanted == "fp16" and not torch.cuda.is_available():
        raise Unsupported("fp16 needs a GPU", remedy="Use bf16, or fp32 on old processors", param="options.precision")
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if _native_bf16() else "fp32"


def _native_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def quantised(base: base_weights.ChatBase, scratch: Path) -> Any:
    """The base in 4 bits (NF4), for ``qlora``. Raises ``Unsupported`` where the hardware or bitsandbytes is absent."""
    if not torch.cuda.is_available() or find_spec("bitsandbytes") is None:
        lacks = "bitsandbytes" if torch.cuda.is_available() else "a GPU"
        raise Unsupported(
            f"qlora needs {lacks}",
            remedy="Use method: lora with precision: bf16 and gradient_checkpointing: true here, or point train.python "
            "to an environment with bitsandbytes on a machine with a GPU",
            param="options.method",
        )
    from peft import prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    base_weights.model(base, "bfloat16").save_pretrained(scratch)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    made = AutoModelForCausalLM.from_pretrained(scratch, quantization_config=config, device_map={"": 0})
    return prepare_model_for_kbit_training(made)
