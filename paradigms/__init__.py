"""Text-generation paradigms: one file each, over one transformer (trunk/) and shared decoders (decoders/)."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any


def __getattr__(name: str) -> Any:
    """Any class that this package defines, as `paradigms.CommitOnce`, wherever its file is.

    Configurations and results name classes this way, so that a file can move without renaming a result. Raises
    AttributeError where no file defines the class, or more than one does.
    """
    home, defined = Path(__file__).parent, re.compile(rf"^class {name}\b", re.M)
    paths = [
        path
        for path in sorted(home.rglob("*.py"))
        if name[:1].isupper() and defined.search(path.read_text(encoding="utf-8"))
    ]
    if len(paths) != 1:
        where = ", ".join(path.relative_to(home).as_posix() for path in paths) or "no file"
        raise AttributeError(f"paradigms.{name}: defined in {where}")
    module = import_module(".".join([__name__, *paths[0].relative_to(home).with_suffix("").parts]))
    globals()[name] = getattr(module, name)
    return globals()[name]
