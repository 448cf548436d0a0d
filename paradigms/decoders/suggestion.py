"""What a task suggests to all decoders: their presets refer to it, and a decoder without an order ignores that."""

from dataclasses import dataclass

from paradigms.decoders.policy import Order
from paradigms.decoders.sampling import at_least


@dataclass(frozen=True)
class Decoding:
    """The node `decoding` of a configuration. Raises ValueError where the temperature is negative."""

    temperature: float
    order: Order

    def __post_init__(self) -> None:
        at_least(self, "temperature", 0)
