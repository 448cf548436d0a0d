"""Compares our decoders with outputs of published ones: one JSON line per case, exit status 1 if any differs."""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from wordways import CONF
from wordways.command import interruptible, print_anywhere
from wordways.settings import SettingError, construct, locate

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


@dataclass(frozen=True)
class Case:
    """A call of a published decoder: its arguments, the tokens or the likelihood it gave, its forward passes."""

    fn: str
    args: Mapping[str, Any]
    out: list[list[int]] | float
    nfe: int | None = None
    stub_amp: float = 4.0


def compared(path: Path) -> Iterator[dict[str, Any]]:
    """The result of every case with the published one. Raises SettingError where the file or a case is invalid."""
    try:
        golden = json.loads(path.read_text(encoding="utf-8"))
        size, mask, cases = golden["V"], golden["mask_id"], list(golden["cases"])
        if not (type(size) is type(mask) is int and 0 <= mask < size):
            raise SettingError(f"V={size}, mask_id={mask}: must be 0 <= mask_id < V")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: not readable ({getattr(error, 'strerror', None) or error})") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SettingError(f"{path}: not a golden file with V, mask_id and cases ({error})") from None
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    for number, node in enumerate(cases):
        try:
            case = of_case(node)
            out, calls = run(case, size, mask, published)
        except Exception as error:  # whatever an argument that makes no sense leads to
            raise SettingError(f"{path}: case {number}: {str(error) or type(error).__name__}") from None
        same = alike(out, case.out) and calls == case.nfe
        expected = {"out": case.out, "nfe": case.nfe}
        yield {"case": number, "fn": case.fn, "same": same, "out": out, "nfe": calls, "expected": expected}


def of_case(node: Any) -> Case:
    if not isinstance(node, Mapping):
        raise SettingError(f"must have {', '.join(field.name for field in fields(Case))}")
    return construct(Case, node, "")


def run(case: Case, size: int, mask: int, published: Mapping[str, str]) -> tuple[Any, int | None]:
    """The output and the NFE of our decoder on one case, with the stub model in place of a network."""
    if case.fn not in published:
        raise SettingError(f"fn={case.fn}: unknown; must be one of {', '.join(published)}")
    stub = locate("paradigms.decoders.golden.Stub")(size, mask, case.stub_amp)
    arguments = {name: value for name, value in case.args.items() if name != "attention_mask"}  # no padding
    return construct(locate(published[case.fn]), arguments, "args", stub=stub)


def alike(out: Any, expected: Any) -> bool:
    """Equality of tokens; of a likelihood, up to the tolerance."""
    if isinstance(out, float | int) and isinstance(expected, float | int):
        return math.isclose(out, expected, rel_tol=0, abs_tol=TOLERANCE)
    return out == expected


if __name__ == "__main__":
    main()
