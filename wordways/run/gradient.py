"""The gradient of a batch whose rows are divided among processes, and are computed in parts by each of them.

Every term of a loss is a sum over rows divided by a number of tokens, or of rows, in the whole batch. Sums and numbers
are added up before the division, so that the quotient and its gradient are the same however rows are divided; a mean of
the parts' means would not be.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from paradigms.base import Canvas, Loss
from wordways.run.workers import add, agreed, rank, size


def parts_of(canvas: Canvas, micro_batch: int | None) -> list[Canvas]:
    """The rows of a batch that fall to this process, at most `micro_batch` at a time."""
    rows = len(canvas.ids_BL)
    first, end = (rows * number // size() for number in (rank(), rank() + 1))
    each = micro_batch or end - first
    return [canvas.part(at, min(at + each, end)) for at in range(first, end, each)]


def set_gradient(weights: Sequence[Tensor], loss_of: Callable[[Canvas], Loss], parts: Sequence[Canvas]) -> Loss:
    """Sets `grad` of the weights to the gradient of the batch's loss; returns that loss.

    A single part waits for the numbers to divide by. Of several parts no graph is kept so long: the gradients of each
    term's sum are added up, and divided at the end.
    """
    with agreed():
        own, slopes = (loss_of(parts[0]), None) if len(parts) == 1 else in_turn(weights, loss_of, parts)
    loss = over_processes(own)
    counts = [count.clamp(min=1) for _, count in loss.terms]
    with agreed():
        if slopes is None:
            own.divided_by(counts).backward()
        else:
            for weight, *of_terms in zip(weights, *slopes, strict=True):
                weight.grad = torch.stack(list(map(torch.div, of_terms, counts))).sum(0)
    if size() > 1:
        flat = add(torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in weights]))
        for weight, slope in zip(weights, flat.split([weight.numel() for weight in weights]), strict=True):
            weight.grad = slope.view_as(weight)
    return loss


def in_turn(
    weights: Sequence[Tensor], loss_of: Callable[[Canvas], Loss], parts: Sequence[Canvas]
) -> tuple[Loss, list[list[Tensor]]]:
    """The loss of all parts, one computed after another, and the gradient of each term's sum."""
    slopes: list[list[Tensor]] = []
    losses: list[Loss] = []
    for part in parts:
        loss = loss_of(part)
        slopes = slopes or [[torch.zeros_like(weight) for weight in weights] for _ in loss.terms]
        for number, (total, _) in enumerate(loss.terms):
            if total.requires_grad:
                again = number + 1 < len(loss.terms)
                found = torch.autograd.grad(total, weights, retain_graph=again, allow_unused=True)
                for slope, one in zip(slopes[number], found, strict=True):
                    if one is not None:
                        slope += one
        losses.append(Loss([(total.detach(), count) for total, count in loss.terms], loss.supervised))
    return added(losses), slopes


def added(losses: Sequence[Loss]) -> Loss:
    """The loss of all their rows."""
    by_term = zip(*(loss.terms for loss in losses), strict=True)
    terms = [(sum_of([total for total, _ in parts]), sum_of([count for _, count in parts])) for parts in by_term]
    return Loss(terms, sum_of([loss.supervised for loss in losses]))


def sum_of(numbers: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(numbers)).sum()


def over_processes(own: Loss) -> Loss:
    """The loss of the rows of all processes."""
    if size() == 1:
        return own
    numbers = [number.detach().double() for term in own.terms for number in term]
    *numbers, supervised = add(torch.stack([*numbers, own.supervised.double()])).unbind()
    return Loss(list(zip(numbers[::2], numbers[1::2], strict=True)), supervised)
