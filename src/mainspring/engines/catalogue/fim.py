"""How known families of code models fill in the middle of a text, for models whose catalogue entry does not say.

Sources are the models' cards and the papers of Qwen2.5-Coder, StarCoder2, DeepSeek-Coder, Code Llama and CodeGemma;
Codestral's is that of mistral-common.
"""

from __future__ import annotations

import re

from mainspring.core.errors import SettingsError
from mainspring.core.nearest import nearest
from mainspring.engines.catalogue.entries import FimEntry

_QWEN = FimEntry(
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    stop=(
        *("<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "<|repo_name|>", "<|fim_prefix|>", "<|fim_suffix|>"),
        *("<|fim_middle|>", "<|im_end|>"),
    ),
    repository="<|repo_name|>{name}\n",
    file="<|file_sep|>{path}\n{text}\n",
    here="<|file_sep|>{path}\n",
)
_STARCODER2 = FimEntry(
    prefix="<fim_prefix>",
    suffix="<fim_suffix>",
    middle="<fim_middle>",
    stop=("<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"),
    repository="<repo_name>{name}",
    file="<file_sep>{path}\n{text}\n",
    here="{path}\n",
    within=True,
)
_STARCODER = _STARCODER2.model_copy(update={"repository": "", "file": "", "here": ""})
_DEEPSEEK = FimEntry(
    prefix="<\uff5cfim\u2581begin\uff5c>",
    suffix="<\uff5cfim\u2581hole\uff5c>",
    middle="<\uff5cfim\u2581end\uff5c>",
    stop=("<\uff5cend\u2581of\u2581sentence\uff5c>", "<|EOT|>", "<\uff5cfim\u2581begin\uff5c>"),
    file="#{path}\n{text}\n",
    here="#{path}\n",
)
_CODELLAMA = FimEntry(prefix="<PRE> ", suffix=" <SUF>", middle=" <MID>", stop=("<EOT>", "<PRE>", "<SUF>", "<MID>"))
_CODESTRAL = FimEntry(
    prefix="[PREFIX]",
    suffix="[SUFFIX]",
    stop=("[PREFIX]", "[SUFFIX]", "</s>", "\n+++++ "),
    file="+++++ {path}\n{text}\n",
    here="+++++ {path}\n",
    suffix_first=True,
)
_CODEGEMMA = FimEntry(
    prefix="<|fim_prefix|>",
    suffix="<|fim_suffix|>",
    middle="<|fim_middle|>",
    stop=("<|file_separator|>", "<end_of_turn>", "<eos>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    file="<|file_separator|>{path}\n{text}\n",
    here="<|file_separator|>{path}\n",
)

FAMILIES = {
    "qwen2.5-coder": _QWEN,
    "starcoder2": _STARCODER2,
    "starcoder": _STARCODER,
    "deepseek-coder": _DEEPSEEK,
    "codellama": _CODELLAMA,
    "codestral": _CODESTRAL,
    "codegemma": _CODEGEMMA,
}
_NAMES = (
    (re.compile(r"qwen[-_ ]?(2\.?5|3)[-_ ]?coder|codeqwen"), "qwen2.5-coder"),
    (re.compile(r"starcoder[-_ ]?2"), "starcoder2"),
    (re.compile(r"star[-_ ]?coder|granite.*code"), "starcoder"),
    (re.compile(r"deepseek[-_ ]?coder"), "deepseek-coder"),
    (re.compile(r"code[-_ ]?llama"), "codellama"),
    (re.compile(r"codestral"), "codestral"),
    (re.compile(r"code[-_ ]?gemma"), "codegemma"),
)


def of_model(name: str) -> FimEntry | None:
    """The markers of the family that a model's name tells; None if it tells none."""
    lowered = name.lower()
    return next((FAMILIES[family] for pattern, family in _NAMES if pattern.search(lowered)), None)


def of_family(name: str) -> FimEntry:
    """The markers of a family. Raises ``SettingsError``."""
    found = FAMILIES.get(name)
    if found is None:
        close = nearest(name, tuple(FAMILIES))
        remedy = f"Did you mean {close}?" if close else f"There are {', '.join(FAMILIES)}"
        raise SettingsError(f"there is no family of models {name!r} that fills in the middle", remedy=remedy)
    return found
