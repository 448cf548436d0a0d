"""Public checkpoints: the same numbers and tokens as transformers, in every published format, or one line."""

import json
import re
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoints as made
import pytest
import torch
from checkpoints import CAUSAL, MASKED, SIZE, published, rewritten
from conftest import SMALL, cell
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from paradigms.autoregressive import Autoregressive, Decoder
from paradigms.base import Canvas, Vocabulary
from paradigms.decoders.beam import BeamSearch
from paradigms.decoders.commit_once import CommitOnce
from paradigms.decoders.contrastive import ContrastiveSearch
from paradigms.diffusion import Diffusion
from paradigms.masked_infill import MaskedInfill
from paradigms.pretrained.checkpoint import Checkpoint
from paradigms.pretrained.trunk import Pretrained
from paradigms.trunk.attention import blockwise, causal, everywhere, prefix
from tasks.base import Example
from wordways.run.checkpoint_text import CheckpointText
from wordways.run.execute import run_cell
from wordways.run.noise import SeededNoise
from wordways.settings import SettingError
from wordways.speed.others import denoised

SHARED = Path(__file__).parents[2] / "shared" / "data"
PROMPTS, NEW = 100, 12
ENGINES = [(kind, "transformers") for kind in CAUSAL] + [("llama", "native"), ("qwen2", "native")]


@pytest.fixture(scope="module", params=[*CAUSAL, *MASKED])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, published(folder, request.param, request.param in CAUSAL)


def trunk_of(folder: Path, checkpointing: bool = False, **how: Any) -> Pretrained:
    trunk = Pretrained(SIZE, str(folder), **how)
    trunk.checkpoints_activations = checkpointing
    trunk.initialise(torch.Generator())
    return trunk


def vocabulary_of(trunk: Pretrained) -> Vocabulary:
    ids = trunk.checkpoint.ids
    return Vocabulary(ids.size, ids.mask, ids.eos, ids.pad)


def some_ids(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randint(5, 300, (rows, columns), generator=torch.Generator().manual_seed(seed))


def left_padded(columns: int, widths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows of these many tokens at the right, and where their padding is."""
    ids_BL = some_ids(len(widths), columns, seed)
    pad_BL = torch.arange(columns) < torch.tensor([columns - width for width in widths])[:, None]
    return ids_BL, pad_BL


@torch.inference_mode()
def test_logits_are_those_of_transformers(saved: tuple[str, Path, Any]) -> None:
    """Without padding under the network's own attention, beyond the window of those that have one."""
    kind, folder, network = saved
    ids_BL = some_ids(2, 20)
    logits_BLV = trunk_of(folder)(ids_BL, causal if kind in CAUSAL else everywhere, pad_BL=torch.zeros(2, 20).bool())
    torch.testing.assert_close(logits_BLV[..., :SIZE], network(ids_BL).logits)


@torch.inference_mode()
@pytest.mark.parametrize("rule", [causal, everywhere, prefix(6), blockwise(6, 4)])
def test_a_padded_row_is_the_row_alone(saved: tuple[str, Path, Any], rule: Any) -> None:
    """Left padding under every rule: also under those for which transformers would fall back to its own mask."""
    _, folder, _ = saved
    trunk, (ids_BL, pad_BL) = trunk_of(folder), left_padded(14, [14, 9, 11])
    whole = trunk(ids_BL, rule, pad_BL=pad_BL)
    for row, width in enumerate((14, 9, 11)):
        cut = 14 - width
        alone = trunk(ids_BL[row : row + 1, cut:], moved(rule, cut), pad_BL=torch.zeros(1, width).bool())
        torch.testing.assert_close(whole[row, cut:], alone[0], atol=2e-5, rtol=1e-4)


def moved(rule: Any, by: int) -> Any:
    return lambda query, key: rule(query + by, key + by)


@torch.inference_mode()
@pytest.mark.parametrize("rule", [causal, everywhere, prefix(4), blockwise(4, 3)])
def test_what_a_rule_hides_changes_nothing(saved: tuple[str, Path, Any], rule: Any) -> None:
    """A token is changed; the logits that change are those of the positions that see it, directly or through others."""
    _, folder, _ = saved
    trunk, ids_BL, pad_BL = trunk_of(folder), some_ids(1, 10), torch.zeros(1, 10).bool()
    at = torch.arange(10)
    sees_LL = rule(at[None, :, None], at[None, None])[0]
    windowed = trunk.trunk.window is not None
    before = trunk(ids_BL, rule, pad_BL=pad_BL)
    for column in range(10):
        other = ids_BL.clone()
        other[0, column] = (other[0, column] + 1) % 300
        changed_L = (trunk(other, rule, pad_BL=pad_BL) != before).any(-1)[0]
        assert not (changed_L & ~sees_LL[:, column]).any()
        assert windowed or (changed_L == sees_LL[:, column]).all()


@torch.inference_mode()
@pytest.mark.parametrize(("kind", "engine"), ENGINES)
def test_cached_logits_are_uncached_ones(kind: str, engine: str, tmp_path: Path) -> None:
    """Prompt first, then blocks at given columns, then single ones, with padding and a row that leaves."""
    published(tmp_path, kind, causal=True)
    trunk, (ids_BL, pad_BL) = trunk_of(tmp_path, engine=engine), left_padded(16, [16, 11, 13])
    whole = trunk(ids_BL, causal, pad_BL=pad_BL)
    cache = trunk.cache(3, 16)
    found = [trunk(ids_BL[:, :9], causal, pad_BL=pad_BL, at_BQ=range(9), keys=9, cache=cache)]
    at_BQ = torch.tensor([[9, 10, 11]] * 3)
    found.append(trunk(ids_BL[:, 9:12], causal, pad_BL=pad_BL[:, :12], at_BQ=at_BQ, cache=cache))
    real = ~pad_BL[:, :12]
    torch.testing.assert_close(torch.cat(found, 1)[real], whole[:, :12][real], atol=2e-5, rtol=1e-4)
    cache.keep(torch.tensor([2, 1]))
    for column in range(12, 16):
        at = range(column, column + 1)
        one = trunk(
            ids_BL[[2, 1]][:, at.start : at.stop], causal, pad_BL=pad_BL[[2, 1]], at_BQ=at, keys=at.stop, cache=cache
        )
        torch.testing.assert_close(one[:, 0], whole[[2, 1], column], atol=2e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("kind", "engine"), ENGINES)
def test_searches_copy_the_cache_and_get_hidden_states(kind: str, engine: str, tmp_path: Path) -> None:
    """One candidate, or no penalty, is greedy decoding; with a penalty the hidden states are looked at."""
    published(tmp_path, kind, causal=True)
    trunk, (ids_BL, pad_BL) = trunk_of(tmp_path, engine=engine), left_padded(9, [9, 5, 7])
    canvas = Canvas(F.pad(ids_BL, (0, 5)), F.pad(torch.zeros_like(pad_BL), (0, 5), value=True), F.pad(pad_BL, (0, 5)))
    how = (Decoder(0.0), BeamSearch(1, 0.0), ContrastiveSearch(3, 0.0), ContrastiveSearch(1, 0.6))
    noise = SeededNoise(0, ["a", "b", "c"], torch.device("cpu"))
    texts = []
    for decoder in how:
        paradigm: Any = Autoregressive(vocabulary_of(trunk), trunk, "causal", decoder)  # pyright: ignore[reportArgumentType]
        texts.append(list(paradigm.decode(canvas, noise))[-1])
    assert all(torch.equal(text, texts[0]) for text in texts)
    states: list[Tensor] = []
    trunk(ids_BL, causal, pad_BL=pad_BL, states=states)
    assert states[0].shape[:2] == ids_BL.shape


@torch.inference_mode()
def test_wanted_logits_are_those_of_all(saved: tuple[str, Path, Any]) -> None:
    _, folder, _ = saved
    trunk, ids_BL, pad_BL = trunk_of(folder), some_ids(2, 9), torch.zeros(2, 9).bool()
    whole, want_BW = trunk(ids_BL, causal, pad_BL=pad_BL), torch.tensor([[1, 8, 3], [0, 2, 2]])
    need_BW = torch.tensor([[True, False, True], [False, True, True]])
    some = trunk(ids_BL, causal, pad_BL=pad_BL, want_BW=want_BW)
    torch.testing.assert_close(some, whole.gather(1, want_BW[:, :, None].expand(-1, -1, whole.shape[2])))
    torch.testing.assert_close(trunk(ids_BL, causal, pad_BL=pad_BL, want_BW=want_BW, need_BW=need_BW), some[need_BW])


@pytest.mark.parametrize(("kind", "engine"), ENGINES)
def test_greedy_texts_are_those_of_generate(kind: str, engine: str, tmp_path: Path) -> None:
    """100 prompts of different lengths, left-padded in batches, until each row's own end."""
    network = published(tmp_path, kind, causal=True)
    trunk = trunk_of(tmp_path, engine=engine)
    words = vocabulary_of(trunk)
    model = Autoregressive(words, trunk, "causal", Decoder(temperature=0))  # type: ignore[arg-type]
    for batch in range(PROMPTS // 20):
        widths = torch.randint(1, 12, (20,), generator=torch.Generator().manual_seed(batch)).tolist()
        ids_BP, pad_BP = left_padded(12, widths, batch)
        holes_BL = F.pad(torch.zeros_like(pad_BP), (0, NEW), value=True)
        canvas = Canvas(F.pad(ids_BP, (0, NEW), value=words.mask), holes_BL, F.pad(pad_BP, (0, NEW)))
        *_, ids_BL = model.decode(canvas, SeededNoise(0, [str(i) for i in range(20)], torch.device("cpu")))
        with torch.inference_mode():
            theirs = network.generate(
                ids_BP, attention_mask=(~pad_BP).long(), do_sample=False, max_new_tokens=NEW, eos_token_id=words.eos,
                pad_token_id=words.eos,
            )  # fmt: skip
        expected = F.pad(theirs[:, 12:], (0, NEW - (theirs.shape[1] - 12)), value=words.eos)
        assert torch.equal(ids_BL[:, 12:], expected)


def test_both_engines_sample_the_same_texts(tmp_path: Path) -> None:
    published(tmp_path, "llama", causal=True)
    texts = []
    for engine in ("transformers", "native"):
        trunk = trunk_of(tmp_path, engine=engine)
        words = vocabulary_of(trunk)
        model = Autoregressive(words, trunk, "causal", Decoder(temperature=1))  # type: ignore[arg-type]
        ids_BL = F.pad(some_ids(30, 5), (0, 10), value=words.mask)
        holes_BL = torch.arange(15).expand(30, -1) >= 5
        canvas = Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))
        *_, out = model.decode(canvas, SeededNoise(0, [str(i) for i in range(30)], torch.device("cpu")))
        texts.append(out)
    assert torch.equal(*texts)


@torch.inference_mode()
@pytest.mark.parametrize("kind", MASKED)
def test_pseudo_likelihood_is_the_direct_computation(kind: str, tmp_path: Path) -> None:
    network, trunk = published(tmp_path, kind, causal=False), trunk_of(tmp_path)
    words = vocabulary_of(trunk)
    ids_BL = some_ids(2, 8)
    holes_BL = (torch.arange(8) >= 3).expand(2, -1)
    canvas = Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))
    how = CommitOnce(length="oracle")
    model = MaskedInfill(words, trunk, 0.15, how)  # type: ignore[arg-type]
    expected = torch.zeros(2, dtype=torch.float64)
    for column in range(3, 8):
        masked = ids_BL.clone()
        masked[:, column] = words.mask
        logits_BV = network(masked).logits[:, column]
        logits_BV[:, [words.mask, words.pad, words.eos]] = -torch.inf
        expected += logits_BV.log_softmax(-1).gather(1, ids_BL[:, column, None])[:, 0].double()
    torch.testing.assert_close(model.log_likelihood(canvas, None).nats_B, expected, atol=1e-5, rtol=1e-5)  # type: ignore[arg-type]


LLADA = {
    "model_type": "llada", "architectures": ["LLaDAModelLM"], "auto_map": {"AutoModel": "modeling_llada.LLaDAModelLM"},
    "d_model": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "mlp_hidden_size": 48, "vocab_size": SIZE,
    "embedding_size": SIZE, "max_sequence_length": 128, "rope": True, "rope_theta": 5e5, "rms_norm_eps": 1e-6,
    "layer_norm_type": "rms", "activation_type": "silu", "block_type": "llama", "block_group_size": 1,
    "weight_tying": False,
    "include_bias": False, "include_qkv_bias": False, "alibi": False, "scale_logits": False, "mask_token_id": 4,
    "eos_token_id": 0, "pad_token_id": 0,
}  # fmt: skip
TO_LLADA = {
    "self_attn.q_proj": "q_proj", "self_attn.k_proj": "k_proj", "self_attn.v_proj": "v_proj",
    "self_attn.o_proj": "attn_out", "input_layernorm": "attn_norm", "post_attention_layernorm": "ff_norm",
    "mlp.gate_proj": "ff_proj", "mlp.up_proj": "up_proj", "mlp.down_proj": "ff_out",
}  # fmt: skip


def llada_name(name: str) -> str:
    """The name of a Llama's tensor in the files that LLaDA is published as."""
    outer = {"model.embed_tokens.weight": "wte", "model.norm.weight": "ln_f", "lm_head.weight": "ff_out"}
    if name in outer:
        return f"model.transformer.{outer[name]}.weight"
    _, _, number, part = name.removesuffix(".weight").split(".", 3)
    return f"model.transformer.blocks.{number}.{TO_LLADA[part]}.weight"


def llada(folder: Path, shards: int = 2) -> tuple[Path, Any]:
    """A checkpoint in LLaDA's format, in shards, and the Llama of the same weights, whose attention sees everything."""
    network = published(folder / "llama", "llama", causal=True, tie_word_embeddings=False, rms_norm_eps=1e-6)
    rewritten(folder / "llama", folder / "llada", LLADA, llada_name, shards)
    for layer in network.model.layers:
        layer.self_attn.is_causal = False
    return folder / "llada", network


def infilled(trunk: Pretrained, rows: int, prompt: int, holes: int, **how: Any) -> tuple[Tensor, Canvas]:
    """Greedy, confidence-ordered texts of the diffusion paradigm."""
    words = vocabulary_of(trunk)
    decoder = CommitOnce(temperature=0, order="confidence", length="oracle", **how)
    model = Diffusion(words, trunk, decoder)  # type: ignore[arg-type]
    ids_BL = F.pad(some_ids(rows, prompt), (0, holes), value=words.mask)
    holes_BL = (torch.arange(prompt + holes) >= prompt).expand(rows, -1)
    canvas = Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL))
    with torch.inference_mode():
        *_, out = model.decode(canvas, SeededNoise(0, [str(i) for i in range(rows)], torch.device("cpu")))
    return out, canvas


@pytest.mark.parametrize("engine", ["transformers", "native"])
@pytest.mark.parametrize(("steps", "block"), [(16, 16), (8, 16), (8, 4), (16, 8)])
def test_llada_decodes_as_its_published_loop(steps: int, block: int, engine: str, tmp_path: Path) -> None:
    folder, network = llada(tmp_path)
    trunk = trunk_of(folder, engine=engine)
    out, canvas = infilled(trunk, 4, 6, 16, steps=steps, block=block)
    never = [vocabulary_of(trunk).mask, vocabulary_of(trunk).pad, vocabulary_of(trunk).eos]
    theirs = denoised(network, canvas, mask=4, never=never, block=block, steps=steps)()
    assert torch.equal(out[:, 6:], theirs)


def test_dream_predicts_from_the_position_before(tmp_path: Path) -> None:
    """A trunk of Qwen2 whose logits are moved by one; a cache of blocks, which lacks that position, is refused."""
    network = published(tmp_path / "qwen2", "qwen2", causal=True)
    config = json.loads((tmp_path / "qwen2" / "config.json").read_text())
    config |= {"model_type": "Dream", "architectures": ["DreamModel"], "mask_token_id": 4}
    rewritten(tmp_path / "qwen2", tmp_path / "dream", config, lambda name: name)
    trunk, ids_BL, pad_BL = trunk_of(tmp_path / "dream"), some_ids(2, 9), torch.zeros(2, 9).bool()
    for layer in network.model.layers:
        layer.self_attn.is_causal = False
    with torch.inference_mode():
        theirs = network(ids_BL).logits
        ours = trunk(ids_BL, everywhere, pad_BL=pad_BL)
        torch.testing.assert_close(ours, torch.cat((theirs[:, :1], theirs[:, :-1]), dim=1)[..., : ours.shape[2]])
        some = trunk(ids_BL, everywhere, pad_BL=pad_BL, want_BW=torch.tensor([[0, 1, 8], [3, 4, 5]]))
        torch.testing.assert_close(some[0], ours[0, [0, 1, 8]])
    with pytest.raises(ValueError, match="cache to null"):
        infilled(trunk, 2, 4, 8, steps=4, block=4, cache="dual")


@pytest.mark.parametrize("kind", ["a2d-llama", "a2d-qwen2", "a2d-qwen3", "sdar"])
def test_families_with_the_names_of_their_base_are_read(kind: str, tmp_path: Path) -> None:
    base = {"sdar": "qwen3"}.get(kind, kind.removeprefix("a2d-"))
    network = published(tmp_path / "base", base, causal=True)
    config = json.loads((tmp_path / "base" / "config.json").read_text()) | {"model_type": kind, "mask_token_id": 4}
    rewritten(tmp_path / "base", tmp_path / "changed", config, lambda name: name)
    ids_BL = some_ids(2, 9)
    trunk = trunk_of(tmp_path / "changed")
    with torch.inference_mode():
        logits = trunk(ids_BL, causal, pad_BL=torch.zeros(2, 9).bool())
        torch.testing.assert_close(logits, network(ids_BL).logits)
    assert trunk.checkpoint.ids.own_mask
    assert trunk.checkpoint.ids.mask == 4


def test_a_mask_that_a_model_lacks_gets_the_mean_embedding(tmp_path: Path) -> None:
    network, trunk = published(tmp_path, "llama", causal=True), trunk_of(tmp_path)
    weight = trunk.trunk.network.get_input_embeddings().weight
    assert (trunk.checkpoint.ids.mask, len(weight)) == (SIZE, SIZE + 1)
    torch.testing.assert_close(weight[SIZE], network.get_input_embeddings().weight.mean(0))
    torch.testing.assert_close(weight[:SIZE], network.get_input_embeddings().weight)


@pytest.mark.parametrize(
    ("kind", "paradigm"), [("gpt2", "autoregressive"), ("llama", "diffusion_k1"), ("bert", "masked_infill")]
)
def test_a_checkpoint_is_fine_tuned_under_any_objective(kind: str, paradigm: str, tmp_path: Path) -> None:
    """A repetition is equal in every digit; another checkpoint is another training."""
    published(tmp_path / "one", kind, kind in CAUSAL)
    published(tmp_path / "two", kind, kind in CAUSAL, seed=1)
    curves, keys = [], []
    for number, name in enumerate(("one", "one", "two")):
        places = (f"results={tmp_path / str(number)}", f"checkpoints={tmp_path / str(number)}")
        given = (f"paradigm={paradigm}", "backbone=pretrained", f"backbone.name={tmp_path / name}")
        trained = cell(*given, *SMALL, *places, "train.steps=2", "train.lr=1e-2", "train.warmup=0")
        keys.append(trained.training_key)
        if name == "one":
            record = run_cell(trained)
            assert record.status == "ok", record.reason
            curves.append(record.provenance["curve"])
    assert curves[0] == curves[1]
    assert keys[0] == keys[1] != keys[2]
    assert curves[0][1][2] != curves[0][0][2]


@pytest.mark.parametrize(
    ("kind", "engine"), [("llama", "native"), *((k, "transformers") for k in ("gpt2", "modernbert"))]
)
def test_checkpointed_activations_change_no_gradient(kind: str, engine: str, tmp_path: Path) -> None:
    """A layer runs twice, and what it gives to the weights is equal to the bit."""
    published(tmp_path, kind, kind in CAUSAL)
    ids_BL, pad_BL = left_padded(8, [8, 5])
    found, calls = [], []
    for on in (False, True):
        trunk = trunk_of(tmp_path, checkpointing=on, engine=engine).train()
        (layer,) = {module for name, module in trunk.named_modules() if name.endswith(("layers.0", "h.0", "layer.0"))}
        leaf = next(m for m in layer.modules() if not [*m.children()] and [*m.parameters()])
        (layer if engine == "native" else leaf).register_forward_pre_hook(lambda *_, on=on: calls.append(on))
        trunk(ids_BL, causal if kind in CAUSAL else everywhere, pad_BL=pad_BL)[~pad_BL].square().mean().backward()
        found.append([weight.grad for weight in trunk.parameters() if weight.grad is not None])
    assert calls.count(True) == 2 * calls.count(False) > 0
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_more_weights_than_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from paradigms.pretrained import checkpoint

    published(tmp_path, "llama", causal=True)
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:       12 kB\n")
    monkeypatch.setattr(checkpoint, "MEMINFO", tmp_path / "meminfo")
    with pytest.raises(SettingError, match=r"needs 0\.0 GB of memory, 0\.0 GB are available"):
        running(tmp_path)


def without_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def spare_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors") | {"model.layers.7.mlp.up_proj.weight": torch.zeros(2)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def other_shape(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = torch.ones(7)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def configured(**changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text()) | changed
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))

    return change


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def sharded(folder: Path, *, lose: bool = False, index: str = "") -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    made.save_sharded(folder, tensors, 2)
    if lose:
        (folder / "model-00002-of-00002.safetensors").unlink()
    if index:
        (folder / "model.safetensors.index.json").write_text(index)


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + path.read_bytes()[8:])


def remove(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def write(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None  # type: ignore[return-value]


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (remove("config.json"), "config.json cannot be read"),
    "config no JSON": (write("config.json", "{"), "config.json is damaged ("),
    "config a list": (write("config.json", "[]"), "no model_type"),
    "config empty": (write("config.json", "{}"), "no model_type"),
    "type a number": (configured(model_type=3), "no model_type"),
    "type unknown": (configured(model_type="martian"), "model_type=martian is not one that transformers has"),
    "remote code": (
        configured(model_type="martian", auto_map={"AutoModel": "modeling_x.Model"}),
        "needs the code of modeling_x.Model, which is not run",
    ),
    "no head": (configured(model_type="clip", architectures=None), "no head over the vocabulary"),
    "experts": (configured(model_type="mixtral", num_local_experts=4), "is a mixture of experts"),
    "no tokenizer": (remove("tokenizer.json", "tokenizer_config.json"), "tokenizer"),
    "tokenizer damaged": (write("tokenizer.json", "{}"), "tokenizer cannot be read"),
    "pickled": (pickled, "pytorch_model.bin is pickled, which is never loaded"),
    "no weights": (remove("model.safetensors"), "model.safetensors is missing"),
    "truncated": (truncated, "model.safetensors is damaged"),
    "header": (header, "model.safetensors is damaged"),
    "shard missing": (lambda folder: sharded(folder, lose=True), "model-00002-of-00002.safetensors is missing"),
    "index damaged": (lambda folder: sharded(folder, index="{"), "index.json is damaged"),
    "index empty": (lambda folder: sharded(folder, index="{}"), "index.json is damaged"),
    "tensor missing": (without_tensor, "lacks model.norm.weight"),
    "tensor spare": (spare_tensor, "has model.layers.7.mlp.up_proj.weight"),
    "tensor's shape": (other_shape, "model.norm.weight"),
    "vocabulary": (configured(vocab_size=300), "ids"),
    "heads": (configured(num_attention_heads=5), ""),
    "width a word": (configured(hidden_size="wide"), ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_checkpoint_is_one_line(name: str, tmp_path: Path) -> None:
    """Found before anything runs; the line names the option and what is wrong."""
    change, why = BAD[name]
    published(tmp_path, "llama", causal=True)
    change(tmp_path)
    with pytest.raises(SettingError) as error:
        running(tmp_path)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith("backbone.name=")
    assert why in line
    assert "damaged" not in line or line.endswith("; fetch this file again"), "what can be done about it"


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_damage_to_a_checkpoint_is_one_line(data: st.DataObject) -> None:
    """A prefix, garbage or a flipped bit in any file; without a checksum, some damage is another model."""
    path = data.draw(st.sampled_from(sorted(tokenised().folder.iterdir())))
    content = path.read_bytes()
    at, bit = data.draw(st.integers(0, min(2000, len(content) - 1))), data.draw(st.integers(0, 7))
    harmed = [content[:at], content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :], b"[" * 9999, b"null"]
    with tempfile.TemporaryDirectory() as home:
        folder = Path(shutil.copytree(path.parent, Path(home) / "gpt2"))
        (folder / path.name).write_bytes(data.draw(st.sampled_from(harmed)))
        assert re.fullmatch(r"|name=[^\n]+", refusal(Checkpoint(str(folder), None)))


def refusal(checkpoint: Checkpoint) -> str:
    """Why a checkpoint is refused; empty where it is not."""
    try:
        assert checkpoint.ids
        assert checkpoint.fingerprint
        assert checkpoint.network()
    except ValueError as error:
        return str(error)
    return ""


def running(folder: Path, *more: str) -> Any:
    given = ("backbone=pretrained", f"backbone.name={folder}", "train=none", "task=list_operations", *more)
    return cell("paradigm=autoregressive", *given)


def test_settings_that_do_not_go_with_a_checkpoint_are_one_line(tmp_path: Path) -> None:
    published(tmp_path, "llama", causal=True)
    published(tmp_path / "gpt2", "gpt2", causal=True)
    published(tmp_path / "short", "llama", causal=True, max_position_embeddings=8)
    for asked, why in [
        (("backbone.name=/nowhere/at/all",), "no such folder"),
        (("backbone.name=no/such-repository-of-ours",), "could be fetched"),
        (("paradigm=diffusion",), "has no mask token"),
        (("task.n=26", "task.alphabet=26", f"backbone.name={tmp_path / 'short'}"), "at most 8"),
        ((f"backbone.name={tmp_path / 'gpt2'}", "backbone.engine=native"), "only llama and qwen2"),
        (("paradigm=shallow_decoder",), "the number of backbone layers"),
    ]:
        with pytest.raises(SettingError) as error:
            running(tmp_path, *asked)
        assert why in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(SettingError, match="train=none: allowed only with backbone=pretrained"):
        cell("train=none")


def test_a_network_that_ignores_its_mask_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from paradigms.pretrained.network import Network

    published(tmp_path, "llama", causal=True)
    monkeypatch.setattr(Network, "masks", lambda *_: None)
    with pytest.raises(ValueError, match="does not see all tokens under the rule `everywhere`"):
        trunk_of(tmp_path)


class Joined:
    """A task of running text, as far as a text's layout asks."""

    holes, fill_in_the_middle = "span", False

    def __init__(self, joint: str | None):
        self.joint = joint

    def room(self, prompt_tokens: int) -> None:
        return None


@given(st.lists(st.text("abc the cat! \u00e9\u4e2d", min_size=1), min_size=3, max_size=3), st.sampled_from(["", " "]))
@settings(max_examples=100, deadline=None)
def test_parts_of_a_running_text_keep_all_of_it(parts: list[str], joint: str) -> None:
    text = CheckpointText(tokenised(), Joined(joint))  # type: ignore[arg-type]
    row = text.of_parts(Example("x", parts[0], parts[1], parts[2]))
    assert text.tokenizer.decode(row.prompt + row.target + row.suffix, skip_special_tokens=False) == joint.join(parts)
    assert row.prompt
    assert text.comes_back(parts[0])


_FOLDER: list[Path] = []


def tokenised() -> Checkpoint:
    """One tokenizer for all examples."""
    if not _FOLDER:
        _FOLDER.append(Path(tempfile.mkdtemp()))
        published(_FOLDER[0], "gpt2", causal=True)
    return Checkpoint(str(_FOLDER[0]), None)


def test_special_tokens_open_and_close_a_text(tmp_path: Path) -> None:
    published(tmp_path, "bert", causal=False)
    text = CheckpointText(Checkpoint(str(tmp_path), None), Joined(" "))  # type: ignore[arg-type]
    row = text.of_parts(Example("x", "the cat", "sat", "on the mat."))
    assert (row.prompt[0], row.suffix[-1]) == (1, 2)
    assert text.tokenizer.decode(row.target, skip_special_tokens=False) == " sat"
    assert text.of_parts(Example("x", "", "sat", "on")).prompt == [1]


def test_stories260k_continues_as_published(tmp_path: Path) -> None:
    """The sample of llama2.c's documentation, through both engines."""
    source = SHARED / "stories260K"
    if not source.is_dir():
        pytest.skip("needs ../shared/data/stories260K")
    from wordways.convert import convert_llama2c

    convert_llama2c(source / "stories260K.bin", source / "tok512.bin", tmp_path / "stories")
    for engine in ("transformers", "native"):
        trunk = Pretrained(512, str(tmp_path / "stories"), engine=engine)
        trunk.initialise(torch.Generator())
        words, text = vocabulary_of(trunk), CheckpointText(trunk.checkpoint, Joined(" "))  # type: ignore[arg-type]
        model = Autoregressive(words, trunk, "causal", Decoder(temperature=0))  # type: ignore[arg-type]
        ids_BL = torch.tensor([[1] + [words.mask] * 60])
        holes_BL = torch.arange(61).expand(1, -1) >= 1
        with torch.inference_mode():
            *_, out = model.decode(
                Canvas(ids_BL, holes_BL, torch.zeros_like(holes_BL)), SeededNoise(0, ["a"], torch.device("cpu"))
            )
        said = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, "
        assert text.read(out[0, 1:].tolist()).startswith(said + "she saw a big, red ball.")
