"""From the payload and three files beside this one to one file: no network, and nothing can run but our script."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from wordways import HOME
from wordways.record import canonical
from wordways.report.page.payload import payload
from wordways.report.rows import Row
from wordways.report.tables import Table

HERE = Path(__file__).parent
CITATION = HOME / "CITATION.cff"


def page_of(
    title: str,
    rows: Sequence[Row],
    tables: Mapping[str, Sequence[Table]],
    oracles: tuple[Table, Sequence[Mapping[str, Any]]] | None,
    claims: Sequence[Table],
    missing: Sequence[str],
) -> str:
    """tables: by task, quality and speed first; oracles: the table and the lines it was made from."""
    return render(payload(title, rows, tables, oracles, claims, missing, bibtex()))


def render(payload: Mapping[str, Any]) -> str:
    """The page; the payload's text stands in it as data, which no browser reads as markup."""
    style, script = (HERE / "page.css").read_text(), (HERE / "page.js").read_text()
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string((HERE / "page.html").read_text())
    # the only `<` that could end the element of the data, and two line ends that old parsers take for code's
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


def content_hash(content: str) -> str:
    """As a content security policy names it: whatever else is in the page does not run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def own_version() -> str:
    try:
        return version("wordways")
    except PackageNotFoundError:
        return "unknown"


def bibtex() -> str:
    """The project as CITATION.cff names it."""
    known = yaml.safe_load(CITATION.read_text())
    authors = " and ".join(f"{{{author['name']}}}" for author in known["authors"])
    return "\n".join(
        [
            "@software{wordways,",
            f"  title = {{{known['title']}}},",
            f"  author = {{{authors.strip('{}')}}},",
            f"  version = {{{known['version']}}},",
            f"  date = {{{known['date-released']}}},",
            "  note = {Give with a number: commit, cell, machine; every record carries them.}",
            "}",
        ]
    )
