"""Matrix products: every weight is served by the fastest kernel that torch has for it on this machine.

In float32 on the CPU, torch multiplies with MKL, which is slow on processors of other makers; oneDNN, which torch also
contains, reads packed weights up to four times as fast. No public function of torch reaches oneDNN in float32 without
compilation, therefore this module calls the operators that torch's own compiler calls, and no other module does. Where
they are missing, or not faster in a measurement of a few milliseconds, public functions serve.
"""

import functools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

SMALL = 1 << 16  # weights with fewer numbers stay in the cache, where the overhead of a call decides
FEW, MANY = 1, 16  # rows for which the kernel of one row and the kernel of more rows are chosen
TRAINING = 1024  # rows, inputs and outputs of the product that decides for training
TRIES = 5
GAIN = 1.05  # how many times as fast oneDNN must be, so that noise does not decide


class Kernel(Protocol):
    def __call__(self, x_MI: Tensor, y_MO: Tensor | None = None, /) -> Tensor:
        """x W^T (M, O), added to y where it is given."""
        ...


class Product:
    """x W^T or norm(x) W^T, for the weight (outputs O, inputs I) of a module and the RMSNorm before it, if any."""

    def __init__(self, module: nn.Linear | nn.Embedding, norm: nn.RMSNorm | None = None):
        self.module, self.norm = module, norm

    def __call__(self, x_MI: Tensor, y_MO: Tensor | None = None) -> Tensor:
        """The product with the module's own weight, for training and for accelerators."""
        if self.norm is not None:
            x_MI = self.norm(x_MI)
        product_MO = multiply(x_MI, self.module.weight)
        return product_MO if y_MO is None else y_MO + product_MO

    def parts(self) -> tuple[Callable[[Tensor], Tensor] | None, Tensor]:
        """A norm without gain, or None, and the weight with the gain multiplied into it."""
        weight_OI = self.module.weight.detach()
        return (None, weight_OI) if self.norm is None else without_gain(self.norm, weight_OI)


class Names(NamedTuple):
    """The kernels of a weight, for one row and for more."""

    few: str
    many: str


class Packed:
    """A product with a copy of the weight in the layouts of its kernels, for evaluation on the CPU."""

    def __init__(self, norm: Callable[[Tensor], Tensor] | None, weight_OI: Tensor, names: Names):
        made = {name: KERNELS[name](weight_OI) for name in set(names)}
        self.norm, self.names, self.few, self.many = norm, names, made[names.few], made[names.many]
        self.nbytes = len(made) * weight_OI.nbytes

    def __call__(self, x_MI: Tensor, y_MO: Tensor | None = None) -> Tensor:
        if self.norm is not None:
            x_MI = self.norm(x_MI)
        return (self.few if x_MI.shape[0] == FEW else self.many)(x_MI, y_MO)


def pack(products: Sequence[Product]) -> list[Packed]:
    """Packs the weights of a model, given in the order in which a forward pass uses them."""
    parts = [product.parts() for product in products]
    large = [weight_OI for _, weight_OI in parts if weight_OI.numel() >= SMALL and packs(weight_OI.dtype)]
    known = chosen(large) if large else {}
    return [Packed(norm, weight_OI, known.get(tuple(weight_OI.shape), Names("mm", "mm"))) for norm, weight_OI in parts]


def without_gain(norm: nn.RMSNorm, weight_OI: Tensor) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The norm up to its gain, which is multiplied into the weight instead."""
    weight_OI = weight_OI * norm.weight.detach()
    inputs, eps = weight_OI.shape[1], norm.eps or torch.finfo(weight_OI.dtype).eps
    if weight_OI.dtype not in (torch.float32, torch.float64):
        return lambda x_MI: F.rms_norm(x_MI, (inputs,), eps=eps), weight_OI
    floor = weight_OI.new_tensor((inputs * eps) ** 0.5)

    def normed(x_MI: Tensor) -> Tensor:
        """x / sqrt(|x|^2 + I eps) is RMSNorm but for the factor sqrt(I), in three calls instead of six."""
        return x_MI / torch.hypot(torch.linalg.vector_norm(x_MI, 2, -1, True), floor)

    return normed, weight_OI * inputs**0.5


def transposed(weight_OI: Tensor) -> Kernel:
    """torch.mm with the weight stored by inputs, which MKL reads twice as fast for one row as a weight by outputs."""
    weight_IO = weight_OI.t().contiguous()

    def kernel(x_MI: Tensor, y_MO: Tensor | None = None, /) -> Tensor:
        return torch.mm(x_MI, weight_IO) if y_MO is None else torch.addmm(y_MO, x_MI, weight_IO)

    return kernel


def onednn(weight_OI: Tensor) -> Kernel:
    """oneDNN's product with a weight in its own blocked layout."""
    op = torch.ops.mkldnn
    blocked = op._reorder_linear_weight(weight_OI.contiguous())

    def kernel(x_MI: Tensor, y_MO: Tensor | None = None, /) -> Tensor:
        if y_MO is None:
            return op._linear_pointwise(x_MI, blocked, None, "none", [], "")
        return op._linear_pointwise.binary(x_MI, y_MO, blocked, None, "add")

    return kernel


KERNELS = {"mm": transposed, "onednn": onednn}


def candidates(weight_OI: Tensor) -> Iterator[Kernel]:
    """All kernels that multiply with this weight here."""
    yield lambda x_MI, y_MO=None, /: F.linear(x_MI, weight_OI)
    if weight_OI.device.type == "cpu":
        yield transposed(weight_OI)
        if packs(weight_OI.dtype):
            yield onednn(weight_OI)


CHOSEN: dict[object, dict[tuple[int, ...], Names]] = {}  # what was measured, by the shapes of a model


def chosen(weights: Sequence[Tensor]) -> dict[tuple[int, ...], Names]:
    """The kernels by shape of weight; a process measures a model's shapes once."""
    key = tuple(tuple(weight_OI.shape) for weight_OI in weights), weights[0].dtype, torch.get_num_threads()
    if key not in CHOSEN:
        few, many = measured(weights, FEW), measured(weights, MANY)
        CHOSEN[key] = {shape: Names(few[shape], many[shape]) for shape in few}
    return CHOSEN[key]


@torch.inference_mode()
def measured(weights: Sequence[Tensor], rows: int) -> dict[tuple[int, ...], str]:
    """The faster kernel by shape. Each weight is timed in its place among the others, which decide what is cached."""
    made = {name: [make(weight_OI) for weight_OI in weights] for name, make in KERNELS.items()}
    inputs = [torch.randn(rows, weight_OI.shape[1]).to(weight_OI) for weight_OI in weights]
    least: dict[tuple[str, tuple[int, ...]], float] = {}
    for _ in range(TRIES):
        for name, kernels in made.items():
            spent: Counter[tuple[int, ...]] = Counter()
            for weight_OI, kernel, x_MI in zip(weights, kernels, inputs, strict=True):
                begun = time.perf_counter()
                kernel(x_MI)
                spent[tuple(weight_OI.shape)] += time.perf_counter() - begun  # type: ignore[assignment]
            for shape, seconds in spent.items():
                least[name, shape] = min(seconds, least.get((name, shape), math.inf))
    shapes = {shape for _, shape in least}
    return {shape: "onednn" if GAIN * least["onednn", shape] < least["mm", shape] else "mm" for shape in shapes}


@functools.cache
def onednn_trains(threads: int) -> bool:
    """Whether oneDNN multiplies large float32 matrices faster than MKL; one answer for all weights of a training."""
    if not has_onednn():
        return False
    x, y = torch.randn(2, TRAINING, TRAINING).unbind()
    plain = torch.ops.mkldnn._linear_pointwise
    return GAIN * fastest(lambda: plain(x, y, None, "none", [], "")) < fastest(lambda: F.linear(x, y))


def fastest(run: Callable[[], object]) -> float:
    """Least seconds over a few runs, after one run of warm-up."""
    taken = []
    with torch.inference_mode():
        for _ in range(TRIES + 1):
            begun = time.perf_counter()
            run()
            taken.append(time.perf_counter() - begun)
    return min(taken[1:])


@functools.cache
def has_onednn() -> bool:
    """Whether this build of torch has the operators."""
    there = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return there and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")


@functools.cache
def packs(dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies with packed weights of this dtype here: bfloat16 needs a processor that has it."""
    if not has_onednn() or dtype is torch.float64:
        return False
    try:
        one = torch.ones(1, 16, dtype=dtype, device="cpu")
        onednn(one.expand(16, 16))(one)
    except RuntimeError:
        return False
    return True


def multiply(x_MI: Tensor, weight_OI: Tensor) -> Tensor:
    """x W^T with the weight as it is, for training and for accelerators."""
    on_cpu = x_MI.device.type == "cpu" and x_MI.dtype is torch.float32 and not torch.is_autocast_enabled("cpu")
    if on_cpu and weight_OI.numel() >= SMALL and onednn_trains(torch.get_num_threads()):
        return Trained.apply(x_MI, weight_OI)  # type: ignore[return-value]
    return F.linear(x_MI, weight_OI)


class Trained(torch.autograd.Function):
    """A product whose forward pass and whose gradient with respect to x run in oneDNN.

    The gradient with respect to the weight reads both operands by columns, for which MKL is at least as fast.
    """

    @staticmethod
    def forward(ctx: Any, x_MI: Tensor, weight_OI: Tensor) -> Tensor:
        ctx.save_for_backward(x_MI, weight_OI)
        return torch.ops.mkldnn._linear_pointwise(x_MI, weight_OI, None, "none", [], "")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_MO: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        x_MI, weight_OI = ctx.saved_tensors
        slope_MO = slope_MO.contiguous()
        to_x_MI = torch.ops.mkldnn._linear_pointwise(slope_MO, weight_OI.t(), None, "none", [], "")
        return to_x_MI, slope_MO.t() @ x_MI
