"""Compares our decoders with outputs of published ones: one JSON line per case, exit status 1 if any differs."""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from wordways import CONF
from wordways.command import interruptible, print_anywhere
from wordways.settings import locate

PUBLISHED = CONF / "golden.yaml"
TOLERANCE = 1e-4  # absolute, for likelihoods, nats; tokens and NFE must be equal


def main() -> None:
    print_anywhere()
    parser = argparse.ArgumentParser("wordways-golden", description=__doc__)
    parser.add_argument(
        "file", type=Path, help="JSON file with V, mask_id and cases; each case has fn, args, out and nfe"
    )
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
    """The result of every case with the published one. Raises ValueError where the file or a case is invalid."""
    try:
        golden = json.loads(path.read_text(encoding="utf-8"))
        size, mask, cases = int(golden["V"]), int(golden["mask_id"]), list(golden["cases"])
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable ({getattr(error, 'strerror', None) or error})") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not a golden file with V, mask_id and cases ({error})") from None
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    for number, case in enumerate(cases):
        try:
            out, calls = run(case, size, mask, published)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{path}: case {number}: {error}") from None
        same = alike(out, case["out"]) and calls == case.get("nfe")
        expected = {"out": case["out"], "nfe": case.get("nfe")}
        yield {"case": number, "fn": case["fn"], "same": same, "out": out, "nfe": calls, "expected": expected}


def run(case: Mapping[str, Any], size: int, mask: int, published: Mapping[str, str]) -> tuple[Any, int | None]:
    """The output and the NFE of our decoder on one case, with the stub model in place of a network."""
    if case["fn"] not in published:
        raise ValueError(f"fn={case['fn']}: unknown; must be one of {', '.join(published)}")
    stub = locate("paradigms.decoders.golden.Stub")(size, mask, float(case.get("stub_amp", 4)))
    arguments = {name: value for name, value in case["args"].items() if name != "attention_mask"}  # no padding
    return locate(published[case["fn"]])(stub, **arguments)


def alike(out: Any, expected: Any) -> bool:
    """Equality of tokens; of a likelihood, up to the tolerance."""
    if isinstance(expected, float | int):
        return math.isclose(out, expected, rel_tol=0, abs_tol=TOLERANCE)
    return out == expected
