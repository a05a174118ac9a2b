"""The recipe: it learns, goes on where it was stopped, and what it makes is served alike without torch."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.features.compose.evaluating import nats, perplexity
from mainspring.features.compose.learn.rows import IGNORE, batches, samples, tokenizer
from mainspring.features.compose.model.layout import BODY, END, SUBJECT, TO
from mainspring.features.compose.model.packed import load
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.suggesting import MailDraft, Suggesting
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Interrupted, Made
from mainspring.training.recipes import find
from mainspring.training.run import Run, options_of

MAILS = [
    {"subject": subject, "to": "support", "text": f"Hello, my {thing} has not arrived. Please send it again."}
    for subject in ("Order", "Delivery", "Question", "")
    for thing in ("card", "grinder", "stove", "jacket", "press", "order")
]
TEXTS = [{"text": "The weather is nice today, and the sun shines on the hills."}] * 6
SMALL: dict[str, Any] = {
    "vocabulary": 400, "width": 32, "layers": 2, "heads": 2, "kv_heads": 1, "hidden": 64, "length": 48,
    "batch_tokens": 256, "general_epochs": 2, "mail_epochs": 10, "learning_rate": 0.01, "every": 5, "precision": "f32",
    "dropout": 0.1,
}  # fmt: skip


def test_rows_become_samples_whose_header_is_not_learnt(tmp_path: Path) -> None:
    made = tokenizer(tmp_path / "tokenizer.json", MAILS + TEXTS, 400)
    (tokens, targets), *_ = samples(made, MAILS[:1], 48)
    body = tokens.index(BODY)
    assert tokens[0] == TO
    assert SUBJECT in tokens[:body]
    assert targets[:body] == [IGNORE] * body
    assert targets[body:-1] == tokens[body + 1 :]
    assert targets[-1] == END
    again = tokenizer(tmp_path / "tokenizer.json", [], 1)
    assert again.to_str() == made.to_str()


def test_long_rows_are_cut_and_each_pass_has_each_sample_once(tmp_path: Path) -> None:
    made = tokenizer(tmp_path / "tokenizer.json", MAILS, 400)
    found = samples(made, [{"text": "card " * 200}, *MAILS], 48)
    assert all(len(tokens) <= 48 for tokens, _ in found)
    one, other = batches(found, 256, 1), batches(found, 256, 2)
    assert sorted(each for batch in one for each in batch) == list(range(len(found)))
    assert one == batches(found, 256, 1)
    assert one != other


def test_a_row_without_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no text"):
        tokenizer(tmp_path / "tokenizer.json", [{"subject": "x"}], 400)


def test_options_are_checked_and_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        options_of(find("compose"), {"precision": "f16"})
    assert caught.value.param == "options.precision"


def folder(path: Path) -> Folder:
    made = Folder(path)
    made.create(RunRequest("compose", SMALL, seed=1))
    for side, rows in (("train", MAILS + TEXTS), ("validation", MAILS[:6]), ("test", MAILS[:6])):
        (made.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return made


def run(made: Folder, *, stop_after: int | None = None) -> Made:
    work = Run(find("compose"), made, made.asked)
    if stop_after is not None:
        asked = iter(range(1, 10_000))
        work.stopping = lambda: next(asked) >= stop_after  # type: ignore[method-assign]
    return work.do()


@pytest.mark.torch
def test_it_learns_resumes_exactly_and_is_served_alike(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    whole = folder(tmp_path / "whole")
    at_once = run(whole)
    stopped = folder(tmp_path / "stopped")
    with pytest.raises(Interrupted):
        run(stopped, stop_after=7)
    after = run(stopped)
    assert at_once.figures == after.figures
    for name in ("model.safetensors", "tokenizer.json"):
        assert (whole.output / name).read_bytes() == (stopped.output / name).read_bytes()
    assert {each["step"] for each in whole.samples()} == {0, *(each["step"] for each in whole.metrics())}
    losses = [each["figures"]["validation_loss"] for each in whole.metrics()]
    assert losses[-1] < losses[0] / 2
    packed = load(str(whole.output))
    served = perplexity([nats(packed, row) for row in MAILS[:6]])
    assert at_once.figures["perplexity_per_word"] == pytest.approx(served, rel=1e-3)
    _equal_to_torch(whole)


@pytest.mark.torch
def test_it_learns_on_from_a_version_with_its_tokenizer_and_sizes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    first = folder(tmp_path / "first")
    learned = run(first)
    made = Folder(tmp_path / "second")
    # Sizes that are given besides are those of what it starts from.
    options = {**SMALL, "width": 64, "start": "mails@1", "general_epochs": 0, "mail_epochs": 1, "learning_rate": 1e-6}
    made.create(RunRequest("compose", options, seed=1, given={"start": str(tmp_path / "first")}))
    for side, rows in (("train", MAILS), ("test", MAILS[:6])):
        (made.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    again = run(made)
    assert json.loads((made.output / "config.json").read_text())["width"] == SMALL["width"]
    assert (made.output / "tokenizer.json").read_bytes() == (first.output / "tokenizer.json").read_bytes()
    assert again.before["perplexity_per_word"] == pytest.approx(learned.figures["perplexity_per_word"])
    # Steps of a millionth leave the decoder as it was.
    assert again.figures["perplexity_decoder"] == pytest.approx(learned.figures["perplexity_decoder"], rel=0.01)


def test_only_a_version_with_whole_weights_is_one_to_learn_on_from(tmp_path: Path) -> None:
    options = options_of(find("compose"), {"start": "phrases@1"})
    assert options.named == {"start": ("composer",)}
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "config.json").write_text(json.dumps({**SMALL, "vocabulary": 400}))
    (tmp_path / "output" / "tokenizer.json").touch()
    with pytest.raises(InvalidRequest, match="that the recipe compose made") as caught:
        options.check_start(None, {"start": tmp_path})
    assert caught.value.param == "options.start"
    (tmp_path / "output" / "model.f32.safetensors").touch()
    options.check_start(None, {"start": tmp_path})


def _equal_to_torch(made: Folder) -> None:
    import torch
    from safetensors.numpy import load_file

    from mainspring.features.compose.model.decoder import NumpyDecoder
    from mainspring.training.own.models.decoder import Decoder
    from mainspring.training.own.models.shape import Shape

    packed = load(str(made.output))
    full = load_file(str(made.output / "model.f32.safetensors"))
    told = json.loads((made.output / "config.json").read_text())
    # Beside the shape it has what the product around the model needs.
    model = Decoder(Shape.read({each.name: told[each.name] for each in fields(Shape) if each.name in told})).eval()
    model.load_state_dict({name: torch.from_numpy(each) for name, each in full.items()})
    ids = packed.tokenizer.encode(MAILS[0]["text"]).ids
    with torch.no_grad():
        expected = torch.log_softmax(model(torch.tensor([ids])), -1)[0, -1].numpy()
    assert np.allclose(NumpyDecoder(packed.sizes, full).read(ids).next, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"heads": 3}, "heads"),
        ({"kv_heads": 3}, "kv_heads"),
        ({"length": 40}, "length"),
        ({"general_epochs": 0, "mail_epochs": 0}, "mail_epochs"),
        ({"widht": 8}, "widht"),
    ],
)
def test_options_that_would_end_the_run_are_refused_with_their_name(options: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        options_of(find("compose"), options)
    assert caught.value.param == f"options.{param}"


@pytest.mark.torch
def test_a_run_without_mails_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = folder(tmp_path / "none")
    (made.data / "train.jsonl").write_text(json.dumps(TEXTS[0]) + "\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="no mails"):
        run(made)


AUDITS = [
    {"subject": "Audit", "to": "staff", "text": f"the brass kettle audit of the {where} depot was moved to {when}"}
    for where in ("north", "south", "harbour", "valley", "upper", "lower")
    for when in ("noon", "midnight", "the evening", "the morning")
]


def phrases(place: Path, start: Path | None = None, **options: Any) -> Folder:
    made = Folder(place)
    given = {} if start is None else {"start": str(start)}
    made.create(RunRequest("compose-phrases", options, given=given))
    sides = {"train": AUDITS[6:], "validation": AUDITS[:3], "test": AUDITS[3:6]}
    for side, some in sides.items():
        (made.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    return made


def test_phrases_of_mails_stand_beside_the_server_s_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    made = phrases(tmp_path / "run")
    told = Run(find("compose-phrases"), made, made.asked).do()
    assert told.makes == "composer"
    assert told.figures["perplexity_per_word"] < told.before["perplexity_per_word"] / 2
    low, high = told.intervals["perplexity_per_word"]
    assert low <= told.figures["perplexity_per_word"] <= high
    packed, server = load(str(made.output)), load()
    assert packed.version != server.version
    assert packed.decoder.sizes == server.decoder.sizes
    suggests = Suggesting(packed, ComposeSettings()).suggest(MailDraft("the brass kettle audit ")).suggestions
    assert suggests[0].text.startswith("of the")
    # Curves and samples that people see.
    assert len({each["step"] for each in made.metrics()}) > 5
    shown = {each["step"]: each["text"] for each in made.samples()}
    assert shown[0] != shown[1]
    # What starts from it has phrases of its own in place of these.
    again = phrases(tmp_path / "again", made.path, most_share=0.3)
    Run(find("compose-phrases"), again, again.asked).do()
    assert load(str(again.output)).decoder.sizes == server.decoder.sizes


def test_phrases_that_help_nobody_make_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    made = phrases(tmp_path / "run")
    other = {"text": "I would like to know when my new card will arrive, please.", "subject": "Card", "to": "support"}
    (made.data / "validation.jsonl").write_text(json.dumps(other) + "\n", encoding="utf-8")
    with pytest.raises(NothingLearned, match="no share"):
        Run(find("compose-phrases"), made, made.asked).do()
    (made.data / "train.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="no mails"):
        Run(find("compose-phrases"), made, made.asked).do()
