"""Published decoders' outputs, token for token and call for call, from our own parts; and a difference is seen."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paradigms.decoders.golden import Stub
from wordways.golden import compared, main

COMMAND = [sys.executable, "-m", "wordways.golden"]
LLADA = {"prompt": [[3, 14, 15, 9, 2]], "steps": 12, "gen_length": 12, "block_length": 12}


def golden(folder: Path, *cases: dict[str, Any]) -> Path:
    path = folder / "golden.json"
    path.write_text(json.dumps({"V": 23, "mask_id": 22, "cases": list(cases)}))
    return path


def case(fn: str = "llada.generate", **arguments: Any) -> dict[str, Any]:
    return {"fn": fn, "args": LLADA | arguments, "out": [[0] * 12], "nfe": 12}


def test_every_published_case_is_reproduced(shared: Path) -> None:
    lines = list(compared(shared / "golden" / "samplers.json"))
    assert len(lines) == 29
    assert [line for line in lines if not line["same"]] == []


def test_the_stub_is_the_formula() -> None:
    stub, ids = Stub(5, 4, 3.0), torch.tensor([[2, 4, 1]])
    logits = stub(ids, lambda q, k: k, pad_BL=torch.zeros(1, 3, dtype=torch.bool))
    c = (1 * 2 + 3 * 1) % 97
    angle = 0.7 * 2 * 4 + 0.31 * c + 1.3 * 3 + 0.17 * (2 + 1)  # i = 1, v = 3
    assert float(logits[0, 1, 3]) == pytest.approx(3 * float(torch.tensor(angle).double().cos()), abs=1e-5)
    assert float(logits[0, 0, 1]) == pytest.approx(
        3 * float(torch.tensor(0.7 * 2 + 0.31 * c + 1.3).double().cos()), abs=1e-5
    )
    assert (logits[..., 4] == -1e4).all()


@pytest.mark.parametrize("remasking", ["low_confidence", "random"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_passes_over_a_full_block_are_made_and_draw_their_noise(
    tmp_path: Path, remasking: str, temperature: float
) -> None:
    """As published, written as a plain loop: sixteen steps for twelve masks in two blocks, two idle in each."""
    arguments: dict[str, Any] = {"steps": 16, "block_length": 6, "remasking": remasking, "temperature": temperature}
    line = next(compared(golden(tmp_path, case(seed=5, **arguments))))
    stub, generator = Stub(23, 22, 4.0), torch.Generator().manual_seed(5)
    x = torch.tensor([[3, 14, 15, 9, 2] + [22] * 12])
    nothing = torch.zeros_like(x, dtype=torch.bool)
    for end in (11, 17):
        for step in range(8):
            masks = x == 22
            logits = stub(x, lambda q, k: k, pad_BL=nothing).double()
            if temperature:
                u = torch.rand(logits.shape, dtype=torch.float64, generator=generator)
                tokens = (logits.exp() / (-u.log()) ** temperature).argmax(-1)
            else:
                tokens = logits.argmax(-1)
            sure = logits.softmax(-1).gather(2, tokens[:, :, None])[..., 0]
            if remasking == "random":
                sure = torch.rand(x.shape, generator=generator).double()
            sure = sure.masked_fill(~masks, -torch.inf)
            sure[:, end:] = -torch.inf
            if step < 6:
                best = int(sure.argmax())
                x[0, best] = tokens[0, best]
    assert (line["out"], line["nfe"]) == (x[:, 5:].tolist(), 16)


def test_a_difference_is_named_and_ends_with_1(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, str(golden(tmp_path, case()))], capture_output=True, text=True, check=False)
    line = json.loads(done.stdout)
    assert (done.returncode, line["same"], line["expected"]["out"]) == (1, False, [[0] * 12])
    right = {"fn": "llada.generate", "args": LLADA, "out": line["out"], "nfe": line["nfe"]}
    assert subprocess.run([*COMMAND, str(golden(tmp_path, right))], capture_output=True, check=False).returncode == 0
    one_call_more = right | {"nfe": line["nfe"] + 1}
    assert not next(compared(golden(tmp_path, one_call_more)))["same"]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("{", "not a golden file"),
        ('{"V": 3}', "not a golden file"),
        (json.dumps({"V": 23, "mask_id": 22, "cases": [case("nobody.knows")]}), "case 0: fn=nobody.knows: unknown"),
        (json.dumps({"V": 23, "mask_id": 22, "cases": [case(steps=5, block_length=4)]}), "steps=5: must be a multiple"),
        (json.dumps({"V": 23, "mask_id": 22, "cases": [case(speed=9)]}), "case 0: args.speed=9: no such setting"),
        (json.dumps({"V": 23, "mask_id": 22, "cases": [case(block_length=0)]}), "must be a multiple"),
        (json.dumps({"V": 23, "mask_id": 22, "cases": [{"fn": "llada.generate"}]}), "case 0: args: missing"),
        (json.dumps({"V": 0, "mask_id": 0, "cases": []}), "V=0, mask_id=0: must be 0 <= mask_id < V"),
        (json.dumps({"V": 23, "mask_id": 23, "cases": [case()]}), "V=23, mask_id=23: must be 0 <= mask_id < V"),
        (json.dumps({"V": 23, "mask_id": 22, "cases": [{"fn": "llada.generate", "args": LLADA}]}), "case 0: out: miss"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    tmp_path: Path, content: str, refusal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "golden.json"
    path.write_text(content)
    monkeypatch.setattr(sys, "argv", ["wordways-golden", str(path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr()
    assert (stopped.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    with pytest.raises(ValueError, match=refusal):
        list(compared(path))
    with pytest.raises(ValueError, match="not readable"):
        list(compared(tmp_path / "nowhere.json"))


SCALARS = st.none() | st.booleans() | st.integers(-3, 40) | st.floats(-3, 40) | st.sampled_from(["", "random", "\n"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("fn"), inner), max_leaves=4
)
FIELDS = ["V", "mask_id", "cases", "cases.0", *(f"cases.0.{name}" for name in ("fn", "args", "out", "nfe", "stub_amp"))]
ARGUMENTS = [
    f"cases.0.args.{name}" for name in (*LLADA, "temperature", "cfg_scale", "remasking", "seed", "attention_mask")
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(FIELDS + ARGUMENTS), VALUES)
def test_any_value_in_any_field_is_compared_or_refused_in_one_line(tmp_path: Path, field: str, value: Any) -> None:
    whole: Any = {"V": 23, "mask_id": 22, "cases": [case()]}
    *parents, name = field.split(".")
    node = functools.reduce(lambda inner, part: inner[int(part) if part == "0" else part], parents, whole)
    node[0 if name == "0" else name] = value
    path = tmp_path / "golden.json"
    path.write_text(json.dumps(whole))
    try:
        lines = list(compared(path))
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = f"{path}: none"
        assert all(set(line) == {"case", "fn", "same", "out", "nfe", "expected"} for line in lines)
    assert refusal.startswith(f"{path}: ")
    assert "\n" not in refusal
