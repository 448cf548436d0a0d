"""One trunk: the same size for everybody, cached as uncached, a padded row as the row alone."""

import itertools

import pytest
import torch
from conftest import BACKBONES, CPU, ROOT, VOCABULARY, cell, row_of, suffix_canvas, tiny, tiny_backbone
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from paradigms.base import Vocabulary
from paradigms.trunk import products
from paradigms.trunk.attention import causal, everywhere, prefix, prompt_apart
from paradigms.trunk.backbone import Backbone

PARAMETERS = {"nano": 0.1e6, "micro": 0.8e6, "mini": 1.9e6, "small": 10.6e6, "medium": 25e6, "base": 110e6}


def test_parameter_counts_are_equal(preset: str) -> None:
    """But for what a paradigm owns beside the backbone, which is counted apart."""
    backbone, paradigm = tiny_backbone(), tiny(preset)
    own = sum(p.numel() for module in paradigm.own() for p in module.parameters())
    assert sum(p.numel() for p in paradigm.parameters()) - own == sum(p.numel() for p in backbone.parameters())


@pytest.mark.parametrize("name", BACKBONES)
def test_sizes_are_what_they_say(name: str) -> None:
    vocabulary = {"nano": 26, "base": 30_000}.get(name, 4_000 if name == "mini" else 26)
    with torch.device("meta"):
        paradigm = cell(f"backbone={name}").paradigm(Vocabulary(vocabulary, 2, 1, 0))
    assert sum(p.numel() for p in paradigm.parameters()) == pytest.approx(PARAMETERS[name], rel=0.1)


@pytest.mark.parametrize("rule", [causal, prefix(3)], ids=["causal", "prefix"])
def test_cached_equals_uncached(rule) -> None:
    backbone = tiny_backbone()
    canvas = suffix_canvas([[3, 4, 5], [6, 1]], 4, truth=lambda row, i: 3 + (row + i) % 7)
    whole = backbone(canvas.ids_BL, rule, pad_BL=canvas.pad_BL)
    cache = backbone.cache(2, 7)
    at = torch.arange(3).expand(2, 3)
    pieces = [backbone(canvas.ids_BL[:, :3], rule, pad_BL=canvas.pad_BL[:, :3], at_BQ=at, cache=cache)]
    for column in range(3, 7):
        at = torch.full((2, 1), column)
        pad = canvas.pad_BL[:, : column + 1]
        pieces.append(backbone(canvas.ids_BL[:, column : column + 1], rule, pad_BL=pad, at_BQ=at, cache=cache))
    real = ~canvas.pad_BL
    torch.testing.assert_close(torch.cat(pieces, 1)[real], whole[real], rtol=0, atol=1e-12)


def test_dropping_rows_from_the_cache_keeps_the_others() -> None:
    backbone = tiny_backbone()
    ids, pad = torch.tensor([[3, 4], [5, 6], [7, 8]]), torch.zeros(3, 3, dtype=torch.bool)
    whole = backbone(torch.cat((ids, torch.full((3, 1), 9)), 1), causal, pad_BL=pad)
    cache = backbone.cache(3, 3)
    backbone(ids, causal, pad_BL=pad[:, :2], cache=cache)
    cache.keep(torch.tensor([True, False, True]))
    last = backbone(torch.full((2, 1), 9), causal, pad_BL=pad[:2], at_BQ=torch.full((2, 1), 2), cache=cache)
    torch.testing.assert_close(last[:, 0], whole[[0, 2], 2], rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule_of", [lambda s: causal, lambda s: everywhere, prefix, prompt_apart])
def test_a_padded_row_equals_the_row_alone(rule_of) -> None:
    backbone = tiny_backbone()
    canvas = suffix_canvas([[3, 4, 5, 6], [7, 1]], [2, 4], truth=lambda row, i: 3 + i)
    together = backbone(canvas.ids_BL, rule_of(canvas.start()), pad_BL=canvas.pad_BL)
    for row in range(2):
        alone = row_of(canvas, row)
        logits = backbone(alone.ids_BL, rule_of(alone.start()), pad_BL=alone.pad_BL)
        torch.testing.assert_close(together[row][~canvas.pad_BL[row]], logits[0], rtol=0, atol=1e-12)


def test_wanted_logits_are_the_logits_there() -> None:
    backbone = tiny_backbone()
    ids, pad, want = torch.randint(3, 12, (2, 5)), torch.zeros(2, 5, dtype=torch.bool), torch.tensor([[4, 0], [2, 3]])
    whole = backbone(ids, everywhere, pad_BL=pad)
    some = backbone(ids, everywhere, pad_BL=pad, want_BW=want)
    torch.testing.assert_close(some, torch.stack([whole[0, [4, 0]], whole[1, [2, 3]]]), rtol=0, atol=1e-12)


def test_two_tokens_may_stand_at_one_place() -> None:
    """A text behind a text, neither of which sees the other, is read as by itself."""
    backbone, ids, pad = tiny_backbone(), torch.randint(3, 12, (2, 8)), torch.zeros(2, 8, dtype=torch.bool)
    place = torch.arange(4).repeat(2).expand(2, -1)
    both = backbone(ids, lambda query, key: query // 4 == key // 4, pad_BL=pad, place_BQ=place)
    for half in (slice(4), slice(4, 8)):
        alone = backbone(ids[:, half], everywhere, pad_BL=pad[:, half])
        torch.testing.assert_close(both[:, half], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("keys", "cached"), [(6, False), (9, True)])
def test_flops_are_those_torch_counts(keys: int, cached: bool) -> None:
    backbone = Backbone(50, layers=3, width=32, heads=4, hidden=84)
    ids, pad, at = (
        torch.zeros(2, 6, dtype=torch.long),
        torch.zeros(2, keys, dtype=torch.bool),
        torch.arange(6).expand(2, 6),
    )
    want = torch.arange(4).expand(2, 4)
    with (
        FlopCounterMode(display=False) as counter,
        sdpa_kernel(SDPBackend.MATH),
    ):  # the fused kernel is not in its tables
        backbone(ids, causal, pad_BL=pad, at_BQ=at, want_BW=want, cache=backbone.cache(2, keys) if cached else None)
    counted = counter.get_total_flops()
    assert counted > 0
    assert backbone.flops(batch=2, queries=6, keys=keys, wanted=4) == counted


def test_it_starts_as_the_identity() -> None:
    backbone = Backbone(VOCABULARY.size, layers=2, width=16, heads=2, hidden=24)
    backbone.initialise(torch.Generator().manual_seed(0))
    ids, pad = torch.arange(12)[None], torch.zeros(1, 12, dtype=torch.bool)
    expected = torch.nn.functional.rms_norm(backbone.embed.weight, (16,), eps=1e-5) @ backbone.embed.weight.T
    torch.testing.assert_close(backbone(ids, everywhere, pad_BL=pad)[0], expected)
    again = Backbone(VOCABULARY.size, layers=2, width=16, heads=2, hidden=24)
    again.initialise(torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(backbone.parameters(), again.parameters(), strict=True))
    assert next(backbone.parameters()).device == CPU


def test_embeddings_begin_with_their_deviation() -> None:
    backbone = Backbone(4000, layers=2, width=16, heads=2, hidden=24, embedding=0.25)
    backbone.initialise(torch.Generator().manual_seed(0))
    assert float(backbone.embed.weight.detach().std()) == pytest.approx(0.25, rel=0.02)
    with pytest.raises(ValueError, match=r"embedding=0: must be above 0"):
        Backbone(8, layers=2, width=16, heads=2, hidden=24, embedding=0)


def test_packed_weights_follow_every_change() -> None:
    """A step of the fused optimiser, a copy, a cast: evaluation always multiplies with the present weights."""
    backbone = tiny_backbone(dtype=torch.float32)
    ids, pad = torch.randint(3, 12, (2, 6)), torch.zeros(2, 6, dtype=torch.bool)
    optimizer = torch.optim.AdamW(backbone.parameters(), lr=0.1, fused=True)

    def agree(tolerance: float) -> None:
        with torch.no_grad():
            packed = backbone.eval()(ids, causal, pad_BL=pad)
            plain = backbone.train()(ids, causal, pad_BL=pad)
        torch.testing.assert_close(packed, plain, rtol=tolerance, atol=tolerance)

    def step() -> None:
        backbone.eval()(ids, causal, pad_BL=pad).square().mean().backward()
        optimizer.step()

    def shrink() -> None:
        with torch.no_grad():
            backbone.get_parameter("layers.0.mlp_norm.weight").mul_(0.5)

    for change in (step, shrink, lambda: backbone.load_state_dict(tiny_backbone(1).state_dict())):
        agree(1e-4)
        change()
        agree(1e-4)
    backbone.double()
    agree(1e-12)


@pytest.mark.parametrize("kernel", ["mm", "onednn"])
@pytest.mark.parametrize("rows", [1, 3])
def test_kernels_multiply_and_add(kernel: str, rows: int) -> None:
    if kernel == "onednn" and not products.has_onednn():
        pytest.skip("this build of torch has no such operators")
    x, weight, y = torch.randn(rows, 24), torch.randn(40, 24), torch.randn(rows, 40)
    made = products.KERNELS[kernel](weight)
    torch.testing.assert_close(made(x, None), x @ weight.T, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made(x, y), y + x @ weight.T, rtol=1e-4, atol=1e-4)


def test_a_product_in_onednn_has_the_gradients_of_a_plain_one() -> None:
    if not products.has_onednn():
        pytest.skip("this build of torch has no such operators")
    x, weight, slope = torch.randn(12, 24), torch.randn(40, 24), torch.randn(12, 40)
    found = []
    for product in (products.Trained.apply, torch.nn.functional.linear):
        of_x, of_weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
        (product(of_x, of_weight) * slope).sum().backward()
        found.append((of_x.grad, of_weight.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_every_kernel_that_is_chosen_gives_the_same_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a measurement finds, and wherever the operators are missing."""
    monkeypatch.setattr(products, "SMALL", 0)
    backbone = tiny_backbone(dtype=torch.float32)
    ids, pad = torch.randint(3, 12, (1, 6)), torch.zeros(1, 6, dtype=torch.bool)
    with torch.no_grad():
        expected = backbone(ids, causal, pad_BL=pad)
        for names in itertools.product(*[["mm", "onednn"] if products.has_onednn() else ["mm"]] * 2):
            monkeypatch.setattr(products, "measured", lambda _, rows, names=names: dict.fromkeys(
                [(48, 16), (16, 16), (16, 24), (12, 16)], names[rows > products.FEW]))  # fmt: skip
            monkeypatch.setattr(products, "CHOSEN", {})
            backbone.train().eval()
            backbone.version = None
            torch.testing.assert_close(backbone(ids, causal, pad_BL=pad), expected, rtol=1e-4, atol=1e-4)
            assert set(backbone.names_of_kernels().values()) == {names}


def test_operators_that_torch_does_not_document_are_called_in_one_module() -> None:
    found = {path.name for path in (ROOT / "paradigms").rglob("*.py") if "torch.ops" in path.read_text()}
    found |= {path.name for path in (ROOT / "wordways").rglob("*.py") if "torch.ops" in path.read_text()}
    assert found == {"products.py"}
