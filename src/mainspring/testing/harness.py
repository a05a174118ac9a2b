"""lm-evaluation-harness asks a server for likelihoods and texts: the model ``mainspring``.

    pip install lm-eval
    python -m mainspring.testing.harness run --model mainspring --tasks hellaswag \\
        --model_args model=smollm2-135m-instruct,base_url=http://127.0.0.1:8000/v1

Arguments after the module's name are those of ``lm-eval``. The module needs only ``lm_eval`` and Python, so it can be
copied into another environment. The harness's own ``local-completions`` needs a tokenizer beside the server, and the
likeliest token of each place of a prompt, which OpenVINO does not tell. Here texts are sent as they are: a
continuation's tokens are found by their places in the answer, and whether it is what the model says by itself is found
by having the model go on with the context.

| ``--model_args`` | default | |
|---|---|---|
| ``model`` | | a model of the server; log-probabilities need OpenVINO with ``engines.prefix_cache: false`` |
| ``base_url`` | ``http://127.0.0.1:8000/v1`` | |
| ``api_key`` | ``$MAINSPRING_API_KEY`` | |
| ``concurrent`` | 4 | requests at the same time |
| ``greedy`` | true | false: spares the second request, and says of every continuation that it is not the likeliest: enough for multiple choice |
| ``max_gen_toks`` | 256 | tokens of a generated text, where the task names none |
| ``timeout`` | 600 | seconds of a request |
"""  # noqa: E501

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

_ATTEMPTS = 5
_LONGEST_PAUSE_S = 60.0
_START = "\n"
"""What stands before a text without a context: a first token has no likelihood."""
_STOPS = 4


@register_model("mainspring")  # type: ignore[untyped-decorator,unused-ignore]
class HarnessModel(LM):  # type: ignore[misc,unused-ignore]
    """The model ``mainspring`` of the harness. Arguments arrive as texts."""

    def __init__(
        self,
        model: str,
        base_url: str = "http://127.0.0.1:8000/v1",
        api_key: str = "",
        concurrent: int | str = 4,
        greedy: bool | str = True,
        max_gen_toks: int | str = 256,
        timeout: float | str = 600.0,
        **_: Any,
    ) -> None:
        super().__init__()
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url is {base_url}, and begins with http:// or https://")
        self.model = model
        self._url = f"{base_url.rstrip('/')}/completions"
        self._key = api_key or os.environ.get("MAINSPRING_API_KEY", "")
        self._concurrent = max(1, int(concurrent))
        self._greedy = str(greedy).lower() not in ("false", "0", "no")
        self._tokens = int(max_gen_toks)
        self._timeout = float(timeout)

    @property
    def tokenizer_name(self) -> str:
        """Empty: the server splits texts."""
        return ""

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Of each (context, continuation): the summed natural-log probability, and whether the model says it by
        itself."""
        pairs = [tuple(map(str, request.args[:2])) for request in requests]
        told = self._each(lambda pair: self._likelihood(*pair), pairs)
        if not self._greedy:
            return [(value, False) for value, _ in told]
        # One text is enough for all continuations of a context.
        longest: dict[str, int] = {}
        for (context, _), (_, count) in zip(pairs, told, strict=True):
            longest[context] = max(count, longest.get(context, 1))
        texts = self._each(lambda each: self._text(each[0] or _START, each[1], ()), list(longest.items()))
        said = dict(zip(longest, texts, strict=True))
        return [(value, said[c].startswith(more)) for (c, more), (value, _) in zip(pairs, told, strict=True)]

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """The summed natural-log probability of each text as a whole."""
        texts = [str(request.args[0]) for request in requests]
        return [value for value, _ in self._each(lambda text: self._likelihood("", text), texts)]

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """What each context is continued with, up to the first of its stops."""

        def one(request: Any) -> str:
            context, wanted = request.args[0], dict(request.args[1])
            stops = wanted.get("until") or ()
            stops = [stops] if isinstance(stops, str) else [each for each in stops if each]
            count = int(wanted.get("max_gen_toks") or wanted.get("max_tokens") or self._tokens)
            temperature = float(wanted.get("temperature") or 0.0) if wanted.get("do_sample", True) else 0.0
            text = self._text(str(context), count, stops[:_STOPS], temperature)
            return text[: min((place for each in stops if (place := text.find(each)) >= 0), default=len(text))]

        return self._each(one, list(requests))

    def _likelihood(self, context: str, continuation: str) -> tuple[float, int]:
        """The log-probability of a continuation, and the number of its tokens."""
        context = context or _START
        prompt = context + continuation
        asked = {"prompt": prompt, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
        told = self._ask(asked)["choices"][0]["logprobs"]
        tokens = zip(told["text_offset"], told["tokens"], told["token_logprobs"], strict=True)
        # A token that begins in the context and ends behind it belongs to the continuation.
        values = [value for place, token, value in tokens if place < len(prompt) and place + len(token) > len(context)]
        if not values or any(value is None for value in values):
            raise RuntimeError("the server does not tell the log-probabilities of a prompt")
        return float(sum(values)), len(values)

    def _text(self, prompt: str, count: int, stops: Sequence[str], temperature: float = 0.0) -> str:
        asked = {"prompt": prompt, "max_tokens": max(1, count), "temperature": temperature}
        return str(self._ask({**asked, "stop": list(stops)} if stops else asked)["choices"][0]["text"])

    def _each(self, call: Callable[[Any], Any], given: Iterable[Any]) -> list[Any]:
        with ThreadPoolExecutor(self._concurrent) as pool:
            return list(pool.map(call, given))

    def _ask(self, body: dict[str, Any]) -> Any:
        """Raises ``RuntimeError`` with what the server said."""
        data = json.dumps({"model": self.model, "store": False, **body}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        for attempt in range(_ATTEMPTS):
            try:
                request = urllib.request.Request(self._url, data, headers)  # noqa: S310
                with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                said = error.read(2_000).decode(errors="replace")
                if error.code not in (429, 503) or attempt == _ATTEMPTS - 1:
                    raise RuntimeError(f"{self._url} answered {error.code}: {said}") from None
                wait = error.headers.get("retry-after", "")
                time.sleep(min(_LONGEST_PAUSE_S, float(wait) if wait.isdigit() else 2.0**attempt))
        raise AssertionError("the last attempt returns or raises")


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
