"""The `wordways-lm-eval` command: lm-evaluation-harness's own, with the paradigms here as its model."""

import sys
from typing import NoReturn

from wordways.command import interruptible, print_anywhere
from wordways.record import digest
from wordways.settings import SettingError


def main() -> None:
    """Takes the arguments of `lm-eval run`. Exits with status 2 and one line where the model's settings are invalid."""
    print_anywhere()
    try:
        from lm_eval._cli import HarnessCLI
        from lm_eval.api.registry import model_registry
        from lm_eval.utils import setup_logging
    except ImportError:
        refuse("lm-evaluation-harness is not installed: pip install -e '.[lm-eval]'")
    model_registry.register("wordways", target="wordways.lm_eval.model:WordwaysLM")
    arguments = [argument for argument in sys.argv[1:] if argument != "run"]
    if "--model" in arguments or "-M" in arguments:
        refuse("--model: is wordways; leave it out")
    sys.argv = [sys.argv[0], "run", "--model", "wordways", *with_own_cache(arguments)]
    setup_logging()
    parser = HarnessCLI()
    with interruptible("wordways-lm-eval"):
        try:
            parser.execute(parser.parse_args())
        except SettingError as error:
            refuse(str(error))


def with_own_cache(arguments: list[str]) -> list[str]:
    """The arguments with a cache for these settings alone: the harness does not tell two models' answers apart."""
    changed = list(arguments)
    for place, argument in enumerate(arguments):
        if argument in ("--use_cache", "-c") and place + 1 < len(arguments):
            own = [a for a in arguments if "=" in a]
            changed[place + 1] = f"{arguments[place + 1]}-{digest(sorted(own))}"
    return changed


def refuse(reason: str) -> NoReturn:
    print(f"wordways-lm-eval: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
