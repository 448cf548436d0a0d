"""What is observed from outside: calls, positions, when a hole was written and when it settled; what time it took."""

import time
from collections.abc import Iterator

import pytest
import torch
from conftest import VOCABULARY, noise, suffix_canvas, tiny_backbone
from torch import Tensor

from paradigms.base import Canvas, Likelihood, Loss, Noise, Paradigm
from paradigms.trunk.attention import everywhere
from wordways.run.clock import LiveBytes, Workload, decode_timed, peak_bytes, warm_up
from wordways.run.trace import forbidding, metered, trace


class Scripted(Paradigm):
    """Writes what it is told, a call for each line."""

    fills = frozenset({"suffix"})
    length = "fixed"

    def __init__(self, lines: list[list[int]], calls_each: int = 1, wait: float = 0.0, touch_prompt: bool = False):
        super().__init__(VOCABULARY, tiny_backbone())
        self.lines, self.calls_each, self.wait, self.touch_prompt = lines, calls_each, wait, touch_prompt

    def rule(self, canvas: Canvas):
        return everywhere

    def loss(self, canvas: Canvas, noise: Noise, progress: float) -> Loss:
        raise NotImplementedError

    def log_likelihood(self, canvas: Canvas, noise: Noise) -> Likelihood:
        raise NotImplementedError

    def token_nats(self, canvas: Canvas, noise: Noise) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def decode(self, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        for line in self.lines:
            for _ in range(self.calls_each):
                self.backbone(canvas.ids_BL, everywhere, pad_BL=canvas.pad_BL)
            ids_BL = canvas.ids_BL.clone()
            ids_BL[:, 2:] = torch.tensor(line)
            if self.touch_prompt:
                ids_BL[:, 0] = 9
            time.sleep(self.wait)
            yield ids_BL


M = VOCABULARY.mask
CANVAS = suffix_canvas([[3, 1]], 3)


def test_filled_is_the_first_writing_settled_the_last_change() -> None:
    seen = trace(Scripted([[M, 5, M], [6, 5, M], [7, 5, 8], [7, 4, 8]]), CANVAS, noise("a"))
    assert seen.filled_BL[0].tolist() == [0, 0, 2, 1, 3]
    assert seen.settled_BL[0].tolist() == [0, 0, 3, 4, 3]
    assert seen.ids_BL[0].tolist() == [3, 1, 7, 4, 8]
    assert (seen.calls, seen.positions) == (4, 4 * 5)


def test_a_token_masked_again_and_rewritten_settles_late() -> None:
    seen = trace(Scripted([[5, 5, 5], [5, M, 5], [5, 5, 5]]), CANVAS, noise("a"))
    assert seen.filled_BL[0, 2:].tolist() == [1, 1, 1]
    assert seen.settled_BL[0, 2:].tolist() == [1, 3, 1]


@pytest.mark.parametrize(
    ("paradigm", "message"),
    [
        (Scripted([[5, 5, 5]], calls_each=2), "decode yielded 1 times in 2 forward passes"),
        (Scripted([[5, M, 5]]), "decode left a position masked"),
        (Scripted([[5, 5, 5]], touch_prompt=True), "decode changed the context"),
    ],
)
def test_breaches_of_the_contract_are_found(paradigm: Paradigm, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        trace(paradigm, CANVAS, noise("a"))


def test_training_calls_count_their_backward() -> None:
    backbone = tiny_backbone()
    paradigm = Scripted([])
    paradigm.backbone = backbone
    once = backbone.flops(batch=1, queries=5, keys=5, wanted=5)
    with metered(paradigm) as meter:
        backbone(CANVAS.ids_BL, everywhere, pad_BL=CANVAS.pad_BL)
        with torch.no_grad():
            backbone(CANVAS.ids_BL, everywhere, pad_BL=CANVAS.pad_BL)
    assert meter.flops == 3 * once + once
    assert not backbone._forward_pre_hooks


def test_a_forbidden_token_has_no_chance() -> None:
    paradigm = Scripted([])
    with forbidding(paradigm, 7), torch.inference_mode():
        assert torch.isinf(paradigm.backbone(CANVAS.ids_BL, everywhere, pad_BL=CANVAS.pad_BL)[..., 7]).all()


def test_the_clock_stamps_every_yield_and_starts_with_the_canvas() -> None:
    durations, ids_BL = decode_timed(Scripted([[5, 5, 5]] * 3, wait=0.02), CANVAS, noise("a"))
    assert len(durations) == 3
    assert all(duration >= 20_000_000 for duration in durations), "the first call's time is in the first duration"
    assert ids_BL[0, 2:].tolist() == [5, 5, 5]


def load(paradigm: Paradigm, ids: list[int]) -> Workload:
    return Workload("natural", [0], CANVAS, lambda: noise("a"), torch.tensor([ids]))


def test_warming_up_goes_on_until_two_windows_agree() -> None:
    times = iter([9, 9, 9, 5, 5, 5, 5.1, 5.1, 5.1, 1, 1, 1])
    warm_up(lambda: next(times))
    assert next(times) == 1
    endless = iter(range(1, 1000))
    warm_up(lambda: next(endless) ** 3)
    assert next(endless) == 16
    slow = iter([3e9, 1.0])
    warm_up(lambda: next(slow))
    assert next(slow) == 1, "what takes seconds is warm after once"


def test_live_bytes_peak_where_tensors_live_together() -> None:
    with LiveBytes(100) as meter:
        a = torch.zeros(1000)  # 4,000 bytes
        b = a + 1
        view = a.view(10, 100)
        del b
        c = torch.zeros(2000)  # 8,000: the peak is a and c
        del c
        d = a * 2
    assert meter.peak == 100 + 4_000 + 8_000
    assert meter.live == 100 + 8_000
    del a, view, d


def test_peak_memory_holds_the_weights_and_grows_with_the_batch() -> None:
    paradigm = Scripted([[5, 5, 5]])
    weights = sum(weight.nbytes for weight in paradigm.parameters())
    small = peak_bytes(paradigm, load(paradigm, []))
    big_canvas = suffix_canvas([[3, 1]] * 50, 3)
    big = peak_bytes(paradigm, Workload("natural", [0], big_canvas, lambda: noise("a"), torch.zeros(0)))
    assert weights < small < big
