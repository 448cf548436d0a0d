"""Joins payload, markup, style and scripts into one file that loads nothing and runs only its own script."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from wordways import HOME
from wordways.record import canonical
from wordways.report.in_short import Short
from wordways.report.page.payload import payload
from wordways.report.rows import Row
from wordways.report.table import Table

HERE = Path(__file__).parent
CITATION = HOME / "CITATION.cff"
SCRIPTS = (  # in this order: tools first, then the sections as they follow each other on the page
    "state", "link", "dom", "tooltip", "rows", "sections", "copy",
    "short",
    "labels", "axes", "marks", "lines", "explorer",
    "columns", "headline",
    "tokens", "player",
    "orders", "curves", "samples", "oracles", "tables", "provenance",
    "filters", "window",
)  # fmt: skip


def page_of(
    title: str,
    rows: Sequence[Row],
    short: Sequence[Short],
    tables: Mapping[str, Sequence[Table]],
    oracles: tuple[Table, Sequence[Mapping[str, Any]]] | None,
    claims: Sequence[Table],
    missing: Sequence[str],
    baselines: Mapping[str, Sequence[Row]] = MappingProxyType({}),
) -> str:
    """tables, baselines: by task, quality and speed first; oracles: the table and the lines it was made from."""
    return render(payload(title, rows, short, tables, oracles, claims, missing, baselines, bibtex()))


def render(payload: Mapping[str, Any]) -> str:
    """The page. It holds the payload as data, which no browser reads as markup."""
    style, script = (HERE / "page.css").read_text(encoding="utf-8"), script_text()
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (HERE / "page.html").read_text(encoding="utf-8")
    )
    # the only `<` that could end the data's element, and two characters that old parsers take for line ends in code
    data = canonical(payload).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return page.render(
        title=payload["title"],
        version=own_version(),
        style=Markup(style),
        script=Markup(script),
        style_hash=Markup(content_hash(style)),
        script_hash=Markup(content_hash(script)),
        data=Markup(data),
    )


def script_text() -> str:
    """The files of SCRIPTS as one script, so that one hash in the content security policy allows all of it."""
    return "\n".join((HERE / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


def content_hash(content: str) -> str:
    """The source expression of a content security policy that allows this content and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def own_version() -> str:
    try:
        return version("wordways")
    except PackageNotFoundError:
        return "unknown"


def citation() -> str:
    """The content of CITATION.cff, which an installation keeps beside the licence."""
    if CITATION.is_file():
        return CITATION.read_text(encoding="utf-8")
    return distribution("wordways").read_text("licenses/CITATION.cff") or ""


def bibtex() -> str:
    """The BibTeX entry that CITATION.cff describes."""
    known = yaml.safe_load(citation())
    authors = " and ".join(f"{{{author['name']}}}" for author in known["authors"])
    return "\n".join(
        [
            "@software{wordways,",
            f"  title = {{{known['title']}}},",
            f"  author = {{{authors.strip('{}')}}},",
            f"  version = {{{known['version']}}},",
            f"  date = {{{known['date-released']}}},",
            "  note = {Cite with a number: commit, run and machine; each record contains them.}",
            "}",
        ]
    )
