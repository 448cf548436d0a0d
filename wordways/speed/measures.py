"""The measures of the benchmark: which pairs of programs are timed, at which sizes."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal, NamedTuple, get_args

from wordways.speed import pairs
from wordways.speed.pairs import Pair
from wordways.speed.subjects import Precision, Subject

Size = Literal["nano", "mini", "small", "base"]
Name = Literal[
    "generate", "latency", "throughput", "prompt", "threads", "bandwidth", "diffusion", "speculative", "training",
    "limits",
]  # fmt: skip
SIZES: tuple[Size, ...] = get_args(Size)
NAMES: tuple[Name, ...] = get_args(Name)
TOKENS = {"nano": 24, "mini": 64, "small": 48, "base": 24}  # of a text, where a measure sets no length
LENGTHS = (16, 64, 256, 1024, 4096)
PROMPTS = (16, 64, 256, 1024)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
THREADS = (1, 2)
BATCH = {"nano": (32, 24), "mini": (32, 64), "small": (32, 64)}  # rows and tokens of a training batch
PRECISIONS: tuple[tuple[Precision, Precision], ...] = (  # ours and theirs; a loop on a CPU runs in float32 by default
    ("float32", "float32"), ("bfloat16", "float32"), ("bfloat16", "bfloat16"),
)  # fmt: skip
LIMITED = (
    "autoregressive", "speculative_prompt_lookup", "parallel", "parallel_cmlm", "diffusion_s10", "block_diffusion",
    "diffusion_blocks_dual",
)  # fmt: skip


class Measure(NamedTuple):
    """One line of the results to be: `pair(subject)` builds both programs."""

    name: Name
    pair: Callable[[Subject], Pair]
    subject: Subject


def generate(size: Size) -> Iterator[Subject]:
    return (Subject(size, TOKENS[size], batch=batch) for batch in (1, 16))


def latency(size: Size) -> Iterator[Subject]:
    return (Subject(size, tokens) for tokens in LENGTHS)


def throughput(size: Size) -> Iterator[Subject]:
    return (Subject(size, TOKENS[size], batch=batch) for batch in BATCHES)


def prompt(size: Size) -> Iterator[Subject]:
    return (Subject(size, TOKENS[size], prompt=tokens) for tokens in PROMPTS)


def threads(size: Size) -> Iterator[Subject]:
    return (Subject(size, TOKENS[size], threads=number) for number in THREADS)


def bandwidth(size: Size) -> Iterator[Subject]:
    yield Subject(size, TOKENS[size])


def diffusion(size: Size) -> Iterator[Subject]:
    """256 tokens in 64 passes, in blocks of 64, without a cache and with one."""
    changes = "paradigm.decoder.block=64", "paradigm.decoder.per_pass=4"
    for preset in ("diffusion_blocks", "diffusion_blocks_dual"):
        yield Subject(size, 256, preset, changes, silent=("eos", "pad"))


def speculative(size: Size) -> Iterator[Subject]:
    yield Subject(size, TOKENS[size], "speculative_prompt_lookup")


def training(size: Size, precision: Precision) -> Iterator[Subject]:
    """Every token but the first of a row is predicted."""
    rows, tokens = BATCH[size]
    yield Subject(size, tokens - 1, changes=(f"train.precision={precision}",), batch=rows, prompt=1)


def limits(size: Size) -> Iterator[Subject]:
    return (Subject(size, 64, preset, silent=("eos", "pad")) for preset in LIMITED)


Family = tuple[Sequence[Size], Callable[[Subject], Pair], Callable[[Size], Iterator[Subject]]]
FAMILIES: dict[Name, list[Family]] = {
    "generate": [(SIZES, pairs.beside_generate, generate)],
    "latency": [(("nano", "mini"), pairs.beside_generate, latency)],
    "throughput": [(("nano", "mini"), pairs.beside_generate, throughput)],
    "prompt": [(("nano", "mini"), pairs.beside_generate, prompt)],
    "threads": [(SIZES, pairs.beside_generate, threads)],
    "bandwidth": [(("base",), pairs.beside_bandwidth, bandwidth)],
    "diffusion": [(("mini", "small"), pairs.beside_loop, diffusion)],
    "speculative": [(SIZES, pairs.beside_assisted, speculative)],
    "training": [
        (("nano", "mini", "small"), partial(pairs.beside_trainer, precision=theirs), partial(training, precision=ours))
        for ours, theirs in PRECISIONS
    ],
    "limits": [(SIZES, pairs.beside_roofline, limits)],
}
"""By measure: the sizes at which it is taken, the pair that is timed, and the subjects of a size."""


def measures(names: Sequence[Name], sizes: Sequence[Size]) -> Iterator[Measure]:
    """The measures of these names at those of the sizes at which they are taken, one model in memory at a time."""
    for name in names:
        for taken, pair, subjects in FAMILIES[name]:
            for size in taken:
                if size in sizes:
                    yield from (Measure(name, pair, subject) for subject in subjects(size))
