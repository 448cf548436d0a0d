"""One network under two masks: some rows of a batch teach it to read on, the others to fill in.

GPT-BERT (Charpentier and Samuel, 2024) in the proportion of one to one: what a hybrid needs of both then costs one
set of weights, at the price of half the examples for each.
"""

from collections.abc import Callable

from paradigms.base import ORDER, Canvas, Loss, Noise, all_rows


def loss_of_both(
    canvas: Canvas, noise: Noise, reading: Callable[[Canvas], Loss], filling: Callable[[Canvas], Loss]
) -> Loss:
    """The sum of the two objectives, each a mean over its own rows; a row's coin says which is its."""
    coin_B = noise.uniform(0, all_rows(canvas), (1,), ORDER)[:, 0]
    sides = (reading, coin_B < 0.5), (filling, coin_B >= 0.5)
    losses = [objective(canvas.rows(rows_B)) for objective, rows_B in sides if rows_B.any()]
    mean, supervised = losses[0]
    for loss in losses[1:]:
        mean, supervised = mean + loss.mean, supervised + loss.supervised
    return Loss(mean, supervised)
