"""What the tests share: small models, tiny tasks, all that can be discovered in conf/, shared data if it is there."""

import functools
import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from matplotlib.figure import Figure

from paradigms.base import Canvas, Paradigm, Vocabulary
from paradigms.trunk.backbone import Backbone
from wordways.__init__ import CONF
from wordways.compose import cell_of
from wordways.run import idle, roofline, training
from wordways.run.cell import Cell
from wordways.run.noise import SeededNoise

if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # locks of its own: no test's timing waits for another worker's
    own = Path(tempfile.gettempdir()) / f"wordways-tests-{worker}"
    own.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
torch.set_num_threads(1)  # small tensors, and other tests beside these
training.VALID_ITEMS = 32  # a few steps of training need no more
idle.SECONDS, roofline.TRIES = 0.01, 1  # no test reads the machine's state off the clock
roofline.LARGEST_OPERAND = 1 << 18  # bytes; no test reads the memory's speed off the clock
ROOT = CONF.parent
SHARED = ROOT.parent / "shared"
CPU = torch.device("cpu")
VOCABULARY = Vocabulary(size=12, mask=2, eos=1, pad=0)
PRESETS = sorted(path.stem for path in (CONF / "paradigm").glob("*.yaml"))
FEW_UPDATES = ["paradigm.decoder.updates=24", "paradigm.decoder.burn_in=12"]
QUICK = {"masked_infill_gibbs": FEW_UPDATES, "diffusion_gibbs": FEW_UPDATES}
WARM = {
    "diffusion_revised": "decoding.temperature=1.0",  # two decoders, each with a temperature
    "uniform_diffusion_accept": "paradigm.decoder.steps=2",  # its answers are most probable tokens, soon all the same
}
BACKBONES = sorted({path.stem for path in (CONF / "backbone").glob("*.yaml")} - {"pretrained"})  # that we train


def pytest_collection_finish() -> None:
    """What is imported stays: the clock collects garbage before every measurement, and need not look at it again."""
    import_module("hypothesis")  # asks for referrers as it is imported, and what is frozen has none
    gc.collect()
    gc.freeze()


def cell(*overrides: str) -> Cell:
    """A checked cell of the configuration, composed as the command composes it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        return cell_of(config)


@functools.cache
def composed_paradigm(*overrides: str) -> dict[str, Any]:
    return cell(*overrides).nodes["paradigm"]


def paradigm_node(*overrides: str) -> dict[str, Any]:
    """The paradigm's node. What a preset already has is put in here: composing takes hydra a fifth of a second."""
    settings = [override for override in overrides if override.startswith("paradigm.")]
    node = deepcopy(composed_paradigm(*(override for override in overrides if override not in settings)))
    for path, _, value in (setting.partition("=") for setting in settings):
        *way, last = path.split(".")[1:]
        at = functools.reduce(lambda inner, name: inner.get(name, {}), way, node)
        if last not in at:
            return composed_paradigm(*overrides)  # hydra's to refuse
        at[last] = yaml.safe_load(value)
    return node


def one_of_each_task(arguments: list[str]) -> list[str]:
    """The arguments, and what else their experiment sweeps over at its first value."""
    asked = {name: value for name, _, value in (argument.partition("=") for argument in arguments)}
    if "experiment" not in asked:
        return arguments
    experiment = yaml.safe_load((CONF / "experiment" / f"{asked['experiment']}.yaml").read_text())
    axes = experiment["hydra"]["sweeper"]["params"]
    fixed = [f"{axis}={str(axes[axis]).partition(',')[0]}" for axis in axes.keys() - asked.keys() - {"task"}]
    return [*arguments, *fixed]


def tiny_backbone(seed: int = 0, vocabulary: Vocabulary = VOCABULARY, dtype: torch.dtype = torch.float64) -> Backbone:
    """Every weight random, branch outputs included, so that no path is silent."""
    backbone = Backbone(vocabulary.size, layers=2, width=16, heads=2, hidden=24)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in backbone.parameters():
            weight.normal_(1.0 if weight.dim() == 1 else 0.0, 0.35, generator=generator)
    return backbone.to(dtype)


def tiny(preset: str, *overrides: str, seed: int = 0, dtype: torch.dtype = torch.float64) -> Paradigm:
    """The paradigm a preset describes, over a tiny random backbone."""
    from wordways.settings import build

    node = paradigm_node(f"paradigm={preset}", *QUICK.get(preset, []), *overrides)
    paradigm: Paradigm = build(node, "paradigm", vocabulary=VOCABULARY, backbone=tiny_backbone(seed, dtype=dtype))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in (weight for module in paradigm.own() for weight in module.parameters()):
            weight.normal_(0, 0.35, generator=generator)
    return paradigm.to(dtype).eval()


def searches(preset: str) -> bool:
    """Whether its decoder has no temperature, because it never draws."""
    return preset not in WARM and "temperature" not in paradigm_node(f"paradigm={preset}")["decoder"]


def sampling(preset: str) -> Paradigm:
    """The same, drawing from its law at temperature 1, whatever the preset says; a search draws nothing."""
    return tiny(preset) if searches(preset) else tiny(preset, WARM.get(preset, "paradigm.decoder.temperature=1.0"))


def suffix_canvas(
    prompts: list[list[int]], holes: int | list[int], truth: Callable[[int, int], int] | None = None
) -> Canvas:
    """Left-padded prompts, then holes (masks, or what `truth` says), then padding where a row has fewer holes."""
    counts = [holes] * len(prompts) if isinstance(holes, int) else holes
    start, widest = max(map(len, prompts)), max(counts)
    ids = torch.full((len(prompts), start + widest), VOCABULARY.pad)
    hole_BL, pad_BL = torch.zeros_like(ids, dtype=torch.bool), torch.ones_like(ids, dtype=torch.bool)
    for row, (prompt, count) in enumerate(zip(prompts, counts, strict=True)):
        ids[row, start - len(prompt) : start] = torch.tensor(prompt)
        ids[row, start : start + count] = torch.tensor(
            [truth(row, i) if truth else VOCABULARY.mask for i in range(count)]
        )
        hole_BL[row, start : start + count] = True
        pad_BL[row, start - len(prompt) : start + count] = False
    return Canvas(ids, hole_BL, pad_BL)


def row_of(canvas: Canvas, row: int) -> Canvas:
    """One row alone, its padding cut off."""
    columns = (~canvas.pad_BL[row]).nonzero()[:, 0]
    keep = slice(int(columns.min()), int(columns.max()) + 1)
    return Canvas(
        canvas.ids_BL[row : row + 1, keep], canvas.holes_BL[row : row + 1, keep], canvas.pad_BL[row : row + 1, keep]
    )


def noise(*ids: str, seed: int = 0) -> SeededNoise:
    return SeededNoise(seed, ids, CPU)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A limit on the size of files, which the system reports as it does a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def shared() -> Path:
    """The folder of local copies beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: it belongs to the developers, not to the product")
    return SHARED


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports whose figures are empty files: to draw them takes longer than all the rest of a report."""

    def save(figure: Figure, path: Path) -> None:
        plt.close(figure)
        for ending in ("pdf", "svg", "png"):
            path.with_name(f"{path.name}.{ending}").touch()

    monkeypatch.setattr("wordways.report.plots.save", save)


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> str:
    return request.param


SMALL = (
    "task.n=4", "task.alphabet=8", "task.operations=[copy,replace_random,shuffle]", "train.steps=20", "train.batch=16",
    "measure.items=40", "measure.likelihood_items=5", "measure.batches=[1,4]", "measure.timed=2",
    "measure.lengths=[2,4]", "measure.repeats=4", "progress=false",
)  # fmt: skip


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small results folder, run for real: four paradigms, one of them over two seeds, and one that is skipped."""
    from wordways.run.execute import run_cell

    folder = tmp_path_factory.mktemp("results") / "small"
    places = (f"results={folder}", f"checkpoints={folder.parent / 'checkpoints'}")
    for preset in ("autoregressive", "masked_infill", "parallel", "diffusion_k1", "diffusion_k2"):
        run_cell(cell(f"paradigm={preset}", *SMALL, *places))
    run_cell(cell("paradigm=parallel", "seed=1", *SMALL, *places))
    run_cell(cell("paradigm=autoregressive", "task.instruction=after", *SMALL, *places))
    return folder


@pytest.fixture(scope="session")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language with a known law, and retrieval at three lengths."""
    from wordways.run.execute import run_cell

    folder = tmp_path_factory.mktemp("languages")
    small = [argument for argument in SMALL if not argument.startswith("task.")]
    places = (f"results={folder / 'r'}", f"checkpoints={folder / 'c'}")
    for preset in ("autoregressive", "parallel", "diffusion_k1", "diffusion_left_to_right"):
        run_cell(cell(f"paradigm={preset}", "task=hidden_markov", "task.n=4", *small, *places))
    for tokens in (1, 2, 3):
        for preset in ("autoregressive", "masked_infill"):
            retrieval = ("task=retrieval", "task.pairs=16", f"task.tokens={tokens}")
            run_cell(cell(f"paradigm={preset}", *retrieval, *small, *places))
    return folder / "r"
