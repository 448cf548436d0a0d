"""Small files in the published formats of the sets that checkpoints are measured on, and how tests use them."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conftest import CONF
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tasks.base import Task
from wordways.run.check import untitled
from wordways.settings import build

PASSAGES = (
    "The key was under the mat. He looked for it in the shed, but at last he lifted the mat",
    'She had a dog and a cat.\n\n"Which one barks?" he asked. She pointed at the "dog"',
    "They rowed to the island. All night they slept on the\nisland",
)
SOLVED = (
    ("Ann has 3 apples and buys 4. How many has she?", "She has 3+4=<<3+4=7>>7 apples.\n#### 7"),
    (
        "A house costs $1,000 and a barn $80. What do both cost?",
        "They cost 1,000+80=$<<1000+80=1080>>1,080.\n#### 1,080",
    ),
    ("It was 4 degrees and fell by 14. How cold is it?", "It is 4-14=<<4-14=-10>>-10 degrees.\n#### -10"),
    ("Bo reads 2 pages a day. How many in 5 days?", "He reads 2*5=<<2*5=10>>10 pages.\n#### 10"),
)
HEAD = 'def add(a, b):\n    """ Add.\n    >>> add(1, 2)\n    3\n    """\n'
ADDS = "\n\ndef check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n"
LARGEST = "from typing import List\n\n\ndef largest(of: List[int]) -> int:\n    ''' The largest number. '''\n"
FINDS = "\n\ndef check(candidate):\n    assert candidate([3, 1, 2]) == 3\n    assert candidate([-5]) == -5\n"
LOOP = (
    "    found = of[0]\n",
    "    for one in of:\n",
    "        if one > found:\n",
    "            found = one\n",
    "    return found\n",
)


def problem(name: str, **more: str) -> dict[str, str]:
    return {"task_id": name, **more}


PROBLEMS = (
    problem("HumanEval/0", prompt=HEAD, entry_point="add", canonical_solution="    return a + b\n", test=ADDS),
    problem("HumanEval/1", prompt=LARGEST, entry_point="largest", canonical_solution="".join(LOOP), test=FINDS),
)


def blank(kind: str, first: int, last: int) -> dict[str, str]:
    """The second problem without lines `first` to `last`."""
    before, inside, after = "".join(LOOP[:first]), "".join(LOOP[first : last + 1]), "".join(LOOP[last + 1 :])
    return problem(
        f"{kind}Infilling/HumanEval/1/L{first}_L{last}", prompt=LARGEST + before, suffix=after, entry_point="largest",
        canonical_solution=inside, test=FINDS,
    )  # fmt: skip


BLANKS = {
    "SingleLine": [blank("SingleLine", line, line) for line in range(len(LOOP))],
    "MultiLine": [blank("MultiLine", 1, 3), blank("MultiLine", 0, 4)],
    "RandomSpan": [
        problem("RandomSpanInfilling/HumanEval/0/1", prompt=f"{HEAD}    ret", suffix=" b\n", entry_point="add",
                canonical_solution="urn a +", test=ADDS),
        problem("RandomSpanInfilling/HumanEval/0/2", prompt=HEAD, suffix="return a + b\n", entry_point="add",
                canonical_solution="    ", test=ADDS),
    ],
}  # fmt: skip


def json_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def lambada(folder: Path) -> Path:
    json_lines(folder / "lambada_test.jsonl", [{"text": text} for text in PASSAGES])
    return folder


def gsm8k(folder: Path) -> Path:
    for name in ("train", "test"):
        rows = [{"question": question, "answer": answer} for question, answer in SOLVED]
        json_lines(folder / f"{name}.jsonl", rows * 2 if name == "train" else rows)
    return folder


def human_eval(folder: Path) -> Path:
    json_lines(folder / "HumanEval.jsonl.gz", PROBLEMS)
    return folder


def human_eval_infilling(folder: Path) -> Path:
    for name, rows in BLANKS.items():
        json_lines(folder / f"HumanEval-{name}Infilling.jsonl.gz", rows)
    return folder


MADE: dict[str, Callable[[Path], Path]] = {
    "lambada": lambada,
    "gsm8k": gsm8k,
    "humaneval": human_eval,
    "humaneval_infilling": human_eval_infilling,
}
UNTRAINED = ("lambada", "humaneval", "humaneval_infilling")  # tasks whose set has no training texts
ALLOWED = "task.allow_code=true"


def task_of(name: str, *overrides: str) -> Task:
    """A task as the command composes it. Raises ValueError with the line that the command says, as for its data."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node: Any = OmegaConf.to_container(compose("config", [f"task={name}", *overrides]).task, resolve=True)
    task = build(untitled(node), "task")
    try:
        task.data_hash()
    except ValueError as error:
        raise ValueError(f"task.{error}") from None
    return task
