"""What users would run instead: `generate` of transformers, LLaDA's sampling loop, a training loop like its Trainer."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from paradigms.base import Canvas, ban
from wordways.run.train import TrainSettings


def generated(model: LlamaForCausalLM, canvas: Canvas, **how: Any) -> Callable[[], Tensor]:
    """Greedy `generate` with its own cache; `how` can ask for assisted generation. Returns the new tokens, (B, N)."""
    start, model_generate = canvas.start(), cast(Any, model).generate
    prompt_BP = canvas.ids_BL[:, :start]
    seen_BP = torch.ones_like(prompt_BP)

    @torch.inference_mode()
    def generate() -> Tensor:
        holes = canvas.ids_BL.shape[1] - start
        ids_BL = model_generate(
            prompt_BP, attention_mask=seen_BP, max_new_tokens=holes, do_sample=False, use_cache=True, **how
        )
        return ids_BL[:, start:]

    return generate


def denoised(
    model: LlamaForCausalLM, canvas: Canvas, *, mask: int, never: list[int], block: int, steps: int
) -> Callable[[], Tensor]:
    """LLaDA's generate.py (Nie et al., 2025) at temperature 0 with low-confidence remasking. Returns the new tokens.

    Every pass reads the whole canvas and computes all its logits. steps: passes in total, `block` positions are filled
    before the next ones; both must divide the text evenly.  never: ids that are not to be generated.
    """
    start, length = canvas.start(), canvas.ids_BL.shape[1]
    passes = steps * block // (length - start)

    @torch.inference_mode()
    def denoise() -> Tensor:
        x_BL = canvas.ids_BL.clone()
        for end in range(start + block, length + 1, block):
            quota_BS = transfers((x_BL[:, end - block : end] == mask).sum(1), passes)
            for step in range(passes):
                hidden_BL = x_BL == mask
                logits_BLV = model(x_BL, use_cache=False).logits
                logits_BLV[..., never] = -torch.inf
                x0_BL = logits_BLV.argmax(-1)
                p_BL = logits_BLV.softmax(-1).gather(-1, x0_BL[..., None]).squeeze(-1)
                p_BL[:, end:] = -torch.inf
                p_BL = torch.where(hidden_BL, p_BL, -torch.inf)
                chosen_BL = torch.zeros_like(hidden_BL)
                for row, quota in enumerate(quota_BS[:, step].tolist()):
                    chosen_BL[row, p_BL[row].topk(quota).indices] = True
                x_BL[chosen_BL] = x0_BL[chosen_BL]
        return x_BL[:, start:]

    return denoise


def transfers(hidden_B: Tensor, passes: int) -> Tensor:
    """How many of a block's masks each pass fills, (B, S); the first passes take the remainder."""
    return hidden_B[:, None] // passes + (torch.arange(passes) < hidden_B[:, None] % passes).long()


def stepped(model: LlamaForCausalLM, canvas: Canvas, settings: TrainSettings, never: list[int]) -> Callable[[], Tensor]:
    """A step of the loop that Trainer runs, with its default optimiser. Returns the loss before the step.

    settings: the learning rate, the optimiser's numbers and the precision.  never: ids with probability 0 in our loss,
    without which the losses could not be compared.
    """
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), settings.rate(0), (0.9, settings.beta2), weight_decay=settings.weight_decay, fused=True
    )
    forbid: Any = lambda module, inputs, logits: ban(logits, never)  # noqa: E731
    model.lm_head.register_forward_hook(forbid)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: settings.rate(step) / settings.rate(0))
    batch: Any = {
        "input_ids": canvas.ids_BL,
        "attention_mask": torch.ones_like(canvas.ids_BL),
        "labels": canvas.ids_BL.masked_fill(~canvas.holes_BL, -100),
    }

    def step() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bfloat16"):
            loss = model(**batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        return loss.detach()

    return step
