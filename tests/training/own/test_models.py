"""Our own transformers: who sees whom, that the cache changes nothing, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, ModelError, Unsupported
from mainspring.training.own.models.shape import Kind, Positions, Shape

pytestmark = pytest.mark.torch
PLACES: tuple[Positions, ...] = ("rotary", "learned", "sine")


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def small(kind: Kind, positions: Positions = "rotary", **given: Any) -> Shape:
    sizes: dict[str, Any] = {"vocabulary": 50, "width": 32, "layers": 2, "heads": 4, "kv_heads": 2, "length": 32}
    return Shape(kind, positions=positions, **(sizes | given))


def built(torch: Any, shape: Shape, seed: int = 0) -> Any:
    """With weights that are large enough for everything to matter."""
    from mainspring.training.own.models.model_files import build

    torch.manual_seed(seed)
    model = build(shape).eval()
    for each in model.parameters():
        if each.dim() > 1:
            each.data.mul_(10)
    return model


def drawn(torch: Any, *sizes: int, seed: int = 1) -> Any:
    return torch.randint(5, 50, sizes, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("positions", PLACES)
def test_the_future_does_not_change_the_past(torch: Any, positions: Positions) -> None:
    model, ids = built(torch, small("decoder", positions)), drawn(torch, 2, 12)
    changed = ids.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 50

    before, after = model(ids), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


@pytest.mark.parametrize("positions", PLACES)
def test_an_encoder_sees_both_sides_and_the_order(torch: Any, positions: Positions) -> None:
    model, ids = built(torch, small("encoder", positions)), drawn(torch, 1, 10)
    for changed_at, seen_at in ((9, 0), (0, 9)):
        changed = ids.clone()
        changed[0, changed_at] = (changed[0, changed_at] + 1) % 50
        assert not torch.allclose(model(ids)[0, seen_at], model(changed)[0, seen_at])
    turned_round = model(ids.flip(1)).flip(1)
    assert not torch.allclose(model(ids), turned_round, atol=1e-3)


@pytest.mark.parametrize("positions", PLACES)
@pytest.mark.parametrize("chunks", [(1,) * 10, (4, 1, 5)])
def test_the_cache_changes_nothing(torch: Any, positions: Positions, chunks: tuple[int, ...]) -> None:
    model, ids = built(torch, small("decoder", positions)), drawn(torch, 2, 10)
    cache = model.new_cache()
    parts = [model(part, cache=cache) for part in ids.split(list(chunks), dim=1)]

    assert torch.allclose(torch.cat(parts, dim=1), model(ids), atol=1e-5)
    assert cache.length == 10
    # Two heads of keys and values serve four of queries.
    assert cache.own[0][0].shape == (2, 2, 10, 8)


def test_the_cache_of_an_encoder_with_decoder_changes_nothing(torch: Any) -> None:
    model = built(torch, small("encoder-decoder"))
    source, ids = drawn(torch, 2, 7), drawn(torch, 2, 6, seed=2)
    encoded, cache = model.encode(source), model.new_cache()
    parts = [model.logits(model.decode(ids[:, at : at + 1], encoded, cache=cache)) for at in range(6)]

    assert torch.allclose(torch.cat(parts, dim=1), model(source, ids), atol=1e-5)
    cache.select(torch.tensor([1, 1]))
    encoded = encoded[torch.tensor([1, 1])]
    again = model.logits(model.decode(ids[:1, :1].expand(2, 1), encoded, cache=cache))
    assert torch.allclose(again[0], again[1])


@pytest.mark.parametrize("positions", PLACES)
def test_the_decoder_uses_the_source_and_not_its_own_future(torch: Any, positions: Positions) -> None:
    model = built(torch, small("encoder-decoder", positions))
    source, ids = drawn(torch, 1, 7), drawn(torch, 1, 6, seed=2)
    changed = source.clone()
    changed[0, 3] = (changed[0, 3] + 1) % 50
    assert not torch.allclose(model(source, ids)[0, 0], model(changed, ids)[0, 0])

    later = ids.clone()
    later[0, 4] = (later[0, 4] + 1) % 50
    assert torch.equal(model(source, ids)[:, :4], model(source, later)[:, :4])


@pytest.mark.parametrize("positions", PLACES)
def test_padding_does_not_matter(torch: Any, positions: Positions) -> None:
    from mainspring.training.own.models.writing import padded

    short, long = drawn(torch, 1, 4), drawn(torch, 1, 9, seed=3)
    ids, keep = padded([short[0].tolist(), long[0].tolist()], 0)
    encoder = built(torch, small("encoder", positions))
    assert torch.allclose(encoder(ids, keep=keep)[0, :4], encoder(short)[0], atol=1e-4)

    both, target = built(torch, small("encoder-decoder", positions)), drawn(torch, 2, 5, seed=4)
    with_padding = both(ids, target, source_keep=keep)
    assert torch.allclose(with_padding[0], both(short, target[:1])[0], atol=1e-4)

    decoder = built(torch, small("decoder", positions))
    ids, keep = padded([short[0].tolist(), long[0].tolist()], 0, left=True)
    positions_of = (keep.cumsum(1) - 1).clamp(min=0)
    assert torch.allclose(decoder(ids, keep=keep, positions=positions_of)[0, -4:], decoder(short)[0], atol=1e-4)


def test_documents_that_are_packed_together_do_not_see_each_other(torch: Any) -> None:
    model, first, second = built(torch, small("decoder")), drawn(torch, 1, 4), drawn(torch, 1, 5, seed=2)
    ids = torch.cat((first, second), dim=1)
    documents = torch.tensor([[0] * 4 + [1] * 5])
    positions = torch.tensor([[*range(4), *range(5)]])
    together = model(ids, documents=documents, positions=positions)

    assert torch.allclose(together[:, 4:], model(second), atol=1e-4)
    assert not torch.allclose(model(ids)[:, 4:], model(second), atol=1e-2)


def test_rotary_positions_know_distances_alone(torch: Any) -> None:
    model, ids = built(torch, small("decoder")), drawn(torch, 1, 8)
    far = model(ids, positions=torch.arange(8)[None] + 1000)
    assert torch.allclose(far, model(ids), atol=1e-3)


def test_learned_positions_end(torch: Any) -> None:
    with pytest.raises(InvalidRequest, match="end at 32"):
        built(torch, small("decoder", "learned"))(drawn(torch, 1, 33))


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-decoder"])
@pytest.mark.parametrize("positions", PLACES)
def test_parameters_are_counted_exactly_and_embeddings_are_tied(torch: Any, kind: Kind, positions: Positions) -> None:
    shape = small(kind, positions, width=64, hidden=96, encoder_layers=3 if kind == "encoder-decoder" else 0)
    model = built(torch, shape)
    assert sum(each.numel() for each in model.parameters()) == shape.parameters

    ids = drawn(torch, 1, 5)
    given = (ids, ids) if kind == "encoder-decoder" else (ids,)
    # The gradient of a token that is never read comes from the head alone.
    model(*given, targets=torch.full_like(ids, 7)).backward()
    unread = next(token for token in range(5, 50) if token not in ids)
    assert model.embedding.tokens.weight.grad[unread].abs().sum() > 0
    assert not [name for name, _ in model.named_parameters() if "head" in name]


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-decoder"])
def test_the_arithmetic_is_estimated_as_torch_counts_it(torch: Any, kind: Kind) -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    shape = small(kind, width=64, vocabulary=200, kv_heads=4)
    model = built(torch, shape)
    ids, source = drawn(torch, 1, 24), drawn(torch, 1, 16)
    # The counter does not know the processor's own kernel of attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(source, ids) if kind == "encoder-decoder" else model(ids)
    estimate = shape.flops(24, 16 if kind == "encoder-decoder" else 0)
    assert counter.get_total_flops() == pytest.approx(estimate, rel=1e-3)


def test_losses_count_the_targets_that_are_given(torch: Any) -> None:
    model, ids = built(torch, small("decoder")), drawn(torch, 2, 6)
    targets = drawn(torch, 2, 6, seed=9)
    targets[0, :4] = -1
    logits = model(ids)
    chances = logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    assert torch.allclose(model(ids, targets), -chances[targets >= 0].sum(), rtol=1e-4)


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-decoder"])
@pytest.mark.parametrize("positions", PLACES)
def test_a_model_is_read_as_it_was_written(torch: Any, kind: Kind, positions: Positions, tmp_path: Path) -> None:
    from mainspring.training.own.models import model_files

    model, ids = built(torch, small(kind, positions)), drawn(torch, 1, 5)
    model_files.save(model, tmp_path)
    again: Any = model_files.load(tmp_path).eval()
    given = (ids, ids) if kind == "encoder-decoder" else (ids,)
    assert torch.equal(again(*given), model(*given))

    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        model_files.load(tmp_path)
    with pytest.raises(ModelError, match=r"config\.json"):
        model_files.load(tmp_path / "elsewhere")


def test_writing_many_at_once_is_writing_each_alone(torch: Any) -> None:
    from mainspring.training.own.models.writing import turn_into, write

    prompts = [[5, 6, 7], [8], [9, 10, 11, 12, 13]]
    model = built(torch, small("decoder"))
    alone = [write(model, [each], most=8, end=2)[0] for each in prompts]
    assert write(model, prompts, most=8, end=2) == alone
    both = built(torch, small("encoder-decoder"))
    alone = [turn_into(both, [each], begin=1, end=2, most=8)[0] for each in prompts]
    assert turn_into(both, prompts, begin=1, end=2, most=8) == alone


def test_a_decoder_is_read_by_others_as_llama(torch: Any, tmp_path: Path) -> None:
    from mainspring.training.own.models import llama, model_files

    transformers = pytest.importorskip("transformers")
    model, ids = built(torch, small("decoder")), drawn(torch, 2, 9)
    model_files.save(model, tmp_path)
    other = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.allclose(other(ids).logits, model(ids), atol=1e-3)
    with pytest.raises(Unsupported, match="learned"):
        llama.told(built(torch, small("decoder", "learned")), pad=0, begin=1, end=2)


def test_a_decoder_is_read_by_engines_as_gguf(torch: Any, tmp_path: Path) -> None:
    """A forward pass that shares no code with ours says the same; heads are turned as that file wants them."""
    from math import log

    from mainspring.engines.catalogue.gguf_weights import GgufWeights
    from mainspring.engines.catalogue.reference_forward import Reference
    from mainspring.training.own import words
    from mainspring.training.own.models import gguf_file

    tokenizer = words.train(["a small text"] * 3, algorithm="bpe", vocabulary=280)
    size = tokenizer.get_vocab_size()
    model, ids = built(torch, small("decoder", vocabulary=size)), drawn(torch, 1, 12)
    path = tmp_path / gguf_file.FILE
    assert gguf_file.fits(model, tokenizer)
    gguf_file.save(model, tokenizer, path)

    loss = float(model(ids[:, :-1], ids[:, 1:]).detach()) / 11
    weights = GgufWeights(path)
    assert log(Reference(weights).perplexity(ids[0].tolist())) == pytest.approx(loss, rel=2e-3)
    assert (weights.token("bos"), weights.token("eos")) == ("<s>", "</s>")
    by_words = words.train(["a small text"] * 3, algorithm="word", vocabulary=50)
    assert not gguf_file.fits(model, by_words)
