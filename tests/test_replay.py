"""What a reader can watch: the canvas after every call rebuilt, and the law each token was drawn from."""

import pytest
import torch
from conftest import PRESETS, VOCABULARY, noise, sampling, searches, suffix_canvas, tiny

from wordways.run.replay import LIKELIEST, watch

CANVAS = suffix_canvas([[3, 7, 4, 1]], 6)
SEED = "replay"
RENOISED = ("uniform_diffusion", "uniform_diffusion_self")  # whose passes but the last write noise, too
GREEDY = {"diffusion_revised": "decoding.temperature=0.0"}


@pytest.mark.parametrize("preset", PRESETS)
def test_what_was_written_rebuilds_every_canvas(preset: str) -> None:
    paradigm = sampling(preset)
    wrote, judged, _ = watch(paradigm, CANVAS, noise(SEED))
    seen = [ids_BL[0].clone() for ids_BL in paradigm.decode(CANVAS, noise(SEED))]
    assert len(wrote) == len(judged) == len(seen)
    held = CANVAS.ids_BL[0].clone()
    at = CANVAS.holes_BL[0].nonzero()[:, 0]
    for changed, ids_L in zip(wrote, seen, strict=True):
        for hole, token in changed.items():
            held[at[hole]] = token
        assert torch.equal(held, ids_L)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_written_was_held_for_possible(preset: str) -> None:
    """A law lies on the hole it is for: greedy, the likeliest token is the one that is written."""
    if searches(preset):
        pytest.skip("it need not take the likeliest token")
    paradigm = tiny(preset, GREEDY.get(preset, "paradigm.decoder.temperature=0.0"))
    wrote, judged, _ = watch(paradigm, CANVAS, noise(SEED))
    checked = 0
    for number, (changed, laws) in enumerate(zip(wrote, judged, strict=True), 1):
        likeliest = preset not in RENOISED or number == len(wrote)
        for hole, token in changed.items():
            if likeliest and hole in laws and token not in (VOCABULARY.mask, VOCABULARY.eos):  # ends are filled in, too
                assert laws[hole][0][0] == token
            checked += hole in laws
        for guesses in laws.values():
            shares = [p for _, p in guesses]
            assert len(shares) == LIKELIEST
            assert shares == sorted(shares, reverse=True)
            assert sum(shares) <= 1 + LIKELIEST * 1e-4
    assert (checked > 0) == paradigm.aligned
