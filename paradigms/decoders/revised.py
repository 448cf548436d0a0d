"""A second decoder, which re-masks tokens, revises the output of one that commits once, to test if it corrects errors.

pass 1-6   p p w w w w    the first decoder generates the text
pass 7     p p w ? w w    the second starts from this text instead of from masks
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from paradigms.base import LATER, Canvas, Noise, Paradigm
from paradigms.decoders.commit_once import CommitOnce
from paradigms.decoders.gibbs import Gibbs
from paradigms.decoders.remask import Remask
from paradigms.decoders.repredict import RepredictAll


@dataclass(frozen=True)
class Revised:
    """Both decoders run on the same model; the length mode is that of the first, `then.length` does nothing.

    Raises ValueError where the second can change no token.
    """

    first: CommitOnce
    then: RepredictAll | Remask | Gibbs

    def __post_init__(self) -> None:
        if isinstance(self.then, Remask) and not self.then.re_masks:
            changed = f"then.steps={self.then.steps}, eta={self.then.eta}, sigma={self.then.sigma}"
            raise ValueError(f"{changed}: re-masks no token; take more steps, and eta above 0")

    @property
    def length(self):
        return self.first.length

    def __call__(self, model: Paradigm, canvas: Canvas, noise: Noise) -> Iterator[Tensor]:
        ids_BL = canvas.ids_BL
        for ids_BL in self.first(model, canvas, noise):
            yield ids_BL
        yield from self.then(model, Canvas(ids_BL.clone(), canvas.holes_BL, canvas.pad_BL), Later(noise))


@dataclass(frozen=True)
class Later:
    """The same noise, with passes numbered from LATER."""

    noise: Noise

    def uniform(self, call: int, rows_b: Tensor, shape: tuple[int, ...], stream: int = 0) -> Tensor:
        return self.noise.uniform(LATER + call, rows_b, shape, stream)
