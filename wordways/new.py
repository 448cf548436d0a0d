"""The `wordways-new` command: writes a working paradigm, task or metric to start from, the example of docs/ renamed."""

import argparse
import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from wordways import CONF, HOME
from wordways.command import interruptible, print_anywhere
from wordways.files import write_atomically
from wordways.names import snake_case

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 40
NOT_NAMES = {"true", "false", "null", "none", "inf", "nan", "yes", "no", "on", "off"}  # values, to hydra or to YAML


@dataclass(frozen=True)
class Skeleton:
    """One template per file. example: the class in the templates.  files: where each template goes.  next: commands."""

    example: str
    files: Mapping[str, str]
    next: Sequence[str]


SKELETONS = {
    "paradigm": Skeleton(
        "CosineMasking",
        {"paradigm.py.txt": "paradigms/{name}.py", "paradigm.yaml.txt": "conf/paradigm/{name}.yaml"},
        ("pytest tests/test_paradigms.py -k {name}", "wordways paradigm=autoregressive,{name}"),
    ),
    "task": Skeleton(
        "RepeatOne",
        {"task.py.txt": "tasks/{name}.py", "task.yaml.txt": "conf/task/{name}.yaml"},
        ("pytest tests/test_task_contract.py -k {name}", "wordways task={name}"),
    ),
    "metric": Skeleton(
        "TokenF1",
        {"metric.py.txt": "tasks/metrics/{name}.py"},
        (
            "pytest tests/test_metric_contract.py -k {name}",
            """python -c "import tasks; print(tasks.{kind}().item('a b c', ['a b']))\"""",
        ),
    ),
}


def main() -> None:
    print_anywhere()
    parser = argparse.ArgumentParser("wordways-new", description=__doc__)
    parser.add_argument("what", choices=SKELETONS)
    parser.add_argument("name", metavar="NAME", help="snake_case; the class is its CamelCase")
    asked = parser.parse_args()
    if CONF.parent != HOME:
        print("wordways-new: needs a clone of the repository, installed with pip install -e .", file=sys.stderr)
        sys.exit(2)
    try:
        with interruptible("wordways-new"):
            paths = create(asked.what, asked.name)
    except ValueError as error:
        print(f"wordways-new: {error}", file=sys.stderr)
        sys.exit(2)
    here = Path.cwd()
    for path in paths:
        print(f"wrote {path.relative_to(here) if path.is_relative_to(here) else path}")
    first, second = (line.format(name=asked.name, kind=camel_case(asked.name)) for line in SKELETONS[asked.what].next)
    print(f"next: {first}\n      {second}")


def create(what: str, name: str, home: Path = HOME) -> list[Path]:
    """Writes the skeleton's files, all of them or none, and returns their paths.

    Raises ValueError with one line where the name is not allowed or taken, or a file cannot be written.
    """
    check_name(name)
    contents = {home / path: content for path, content in rendered(what, name).items()}
    check_free(what, name, home)
    written: list[Path] = []
    try:
        for path, content in contents.items():
            write_atomically(path, content)
            written.append(path)
    except BaseException as error:
        for path in written:
            path.unlink()
        if isinstance(error, OSError):
            raise ValueError(f"{error.filename or home}: cannot be written to ({error.strerror})") from None
        raise
    return written


def rendered(what: str, name: str) -> dict[str, str]:
    """Paths and contents of the skeleton's files: the example's class, name and title replaced."""
    skeleton = SKELETONS[what]
    example, found = snake_case(skeleton.example), {}
    for template, path in skeleton.files.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        for old, new in ((skeleton.example, camel_case(name)), (example, name), (spoken(example), spoken(name))):
            text = re.sub(rf"\b{old}\b", new, text)
        found[path.format(name=name)] = text
    return found


def check_name(name: str) -> None:
    if NAME.fullmatch(name) and len(name) <= LONGEST and not keyword.iskeyword(name) and name not in NOT_NAMES:
        return
    allowed = f"snake_case (a-z, 0-9, single _ between words), from a letter, at most {LONGEST} characters"
    raise ValueError(f"NAME={name}: must be {allowed}, no Python keyword and no YAML value such as null")


def check_free(what: str, name: str, home: Path) -> None:
    """Raises ValueError where a file is in the way, or the class's name already has a meaning."""
    skeleton, kind = SKELETONS[what], camel_case(name)
    paths = [path.format(name=name) for path in skeleton.files.values()]
    in_the_way = [*paths, *(path.removesuffix(".py") for path in paths if path.endswith(".py"))]
    if what == "task":
        in_the_way.append(f"conf/experiment/{name}.yaml")  # task=NAME would run it
    for path in in_the_way:
        if (home / path).exists():
            raise ValueError(f"NAME={name}: {path} exists; choose another name")
    package = paths[0].partition("/")[0]
    for path in sorted((home / package).rglob("*.py")):
        if re.search(rf"^class {kind}\b", path.read_text(encoding="utf-8"), re.M):
            where = path.relative_to(home).as_posix()
            raise ValueError(f"NAME={name}: {where} defines a class {kind}; choose another name")
    used = any(
        re.search(rf"\b{kind}\b", (TEMPLATES / template).read_text(encoding="utf-8")) for template in skeleton.files
    )
    if kind != skeleton.example and (used or kind in vars(import_module(package))):
        raise ValueError(f"NAME={name}: {kind} is the name of something that modules import; choose another name")


def camel_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def spoken(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    main()
