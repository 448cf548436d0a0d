"""Our decoders against outputs of published ones: `wordways-golden FILE`, a JSON line a case, exit 1 if any differs."""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from wordways import CONF
from wordways.command import interruptible
from wordways.settings import locate

PUBLISHED = CONF / "golden.yaml"
TOLERANCE = 1e-4  # of a likelihood; tokens and calls must be the same


def main() -> None:
    parser = argparse.ArgumentParser("wordways-golden", description=__doc__)
    parser.add_argument("file", type=Path, help="stub, V, mask_id and cases: fn, args, out, nfe")
    try:
        with interruptible("wordways-golden"):
            lines = list(compared(parser.parse_args().file))
    except ValueError as error:
        print(f"wordways-golden: {error}", file=sys.stderr)
        sys.exit(2)
    for line in lines:
        print(json.dumps(line))
    sys.exit(0 if all(line["same"] for line in lines) else 1)


def compared(path: Path) -> Iterator[dict[str, Any]]:
    """Every case run and set beside what was published. Raises ValueError where the file or a case cannot be run."""
    try:
        golden = json.loads(path.read_text())
        size, mask, cases = int(golden["V"]), int(golden["mask_id"]), list(golden["cases"])
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable ({getattr(error, 'strerror', None) or error})") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not a golden file of V, mask_id and cases ({error})") from None
    published = yaml.safe_load(PUBLISHED.read_text())
    for number, case in enumerate(cases):
        try:
            out, calls = run(case, size, mask, published)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{path}: case {number}: {error}") from None
        same = alike(out, case["out"]) and calls == case.get("nfe")
        expected = {"out": case["out"], "nfe": case.get("nfe")}
        yield {"case": number, "fn": case["fn"], "same": same, "out": out, "nfe": calls, "expected": expected}


def run(case: Mapping[str, Any], size: int, mask: int, published: Mapping[str, str]) -> tuple[Any, int | None]:
    if case["fn"] not in published:
        raise ValueError(f"fn={case['fn']}: not known; there is {', '.join(published)}")
    stub = locate("paradigms.decoders.golden.Stub")(size, mask, float(case.get("stub_amp", 4)))
    arguments = {name: value for name, value in case["args"].items() if name != "attention_mask"}  # nothing is padded
    return locate(published[case["fn"]])(stub, **arguments)


def alike(out: Any, expected: Any) -> bool:
    if isinstance(expected, float | int):
        return math.isclose(out, expected, rel_tol=0, abs_tol=TOLERANCE)
    return out == expected
