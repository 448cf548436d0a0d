"""The `wordways-score` command: adds metrics to finished runs from their kept texts, or prints these for others."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tasks.base import Example, Task
from tasks.metrics.extra import called, check_extra, extra_scores
from wordways import __version__
from wordways.command import interruptible, print_anywhere
from wordways.record import Record, holds_records, read_records, valid_record, write_record
from wordways.run.keep import references_of
from wordways.run.provenance import now, tree
from wordways.run.recorded import task_of_record
from wordways.settings import SettingError
from wordways.texts import load_texts

SETTINGS = ("metric", "task.data")
Act = Callable[[Path, Record, str | None], list[str]]  # what is done with a run; returns the lines to print


def main() -> None:
    """Exits with status 2 and one line where the arguments are wrong, with status 1 where a run could not be scored."""
    print_anywhere()
    parser = argparse.ArgumentParser(
        prog="wordways-score",
        description="Adds metrics to the finished runs of a results folder, from the texts that measure.keep=all kept.",
        epilog="example: wordways-score results/text metric=mauve,bertscore task.data=DATA",
    )
    parser.add_argument("results", type=Path, help="a results folder, whose texts/ holds the kept texts")
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="NAME=VALUE",
        help="metric=NAMES: metrics of Hugging Face `evaluate`, each a name, a name@revision or a folder, as in "
        "measure.extra; task.data=FOLDER: the folder of the run, for data whose licence keeps them out of texts/",
    )
    parser.add_argument(
        "--texts-only",
        action="store_true",
        help="scores nothing; prints every kept text as a line of JSON, for people or for metrics of other programs",
    )
    asked = parser.parse_args()
    with interruptible("wordways-score"):
        try:
            settings = settings_of(asked.settings)
            if asked.texts_only and "metric" in settings:
                raise SettingError(f"metric={settings['metric']}: is not computed with --texts-only")
            metrics = [] if asked.texts_only else checked(settings.get("metric", ""))
            if not holds_records(asked.results):
                raise SettingError(f"{asked.results}: holds no records")
            records, refused = read_records(asked.results)
        except SettingError as error:
            refuse(str(error))
        for line in refused:
            print(f"not a record: {line}", file=sys.stderr)
        act, data = show if asked.texts_only else partial(score, metrics=metrics), settings.get("task.data")
        left = sum(not done(act, asked.results, record, data) for record in records if record.status == "ok")
        if not asked.texts_only:
            print(f"wordways-report {asked.results} shows the new scores")
        sys.exit(1 if left or refused else 0)


def settings_of(arguments: Sequence[str]) -> dict[str, str]:
    """Raises SettingError where an argument is no setting, or one comes twice."""
    found: dict[str, str] = {}
    for argument in arguments:
        name, sign, value = argument.partition("=")
        if not sign or name not in SETTINGS:
            raise SettingError(f"{argument}: no such setting; there are {' and '.join(SETTINGS)}, as NAME=VALUE")
        if name in found:
            raise SettingError(f"{argument}: {name} is given twice")
        found[name] = value
    return found


def checked(names: str) -> list[str]:
    """The metrics of metric=NAMES. Raises SettingError where there is none, or one cannot be loaded."""
    metrics = [name.strip() for name in names.strip("[]").split(",") if name.strip()]
    if not metrics:
        raise SettingError(f"metric={names}: names no metric, such as metric=mauve,bertscore")
    try:
        check_extra(metrics, ())
    except ValueError as error:
        raise SettingError(str(error).replace("extra=", "metric=", 1)) from None
    return metrics


def done(act: Act, results: Path, record: Record, data: str | None) -> bool:
    """Whether a run could be scored or shown; says in one line why not."""
    try:
        lines = act(results, record, data)
    except Exception as error:  # a metric is somebody else's code
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        print(f"{name_of(record)}: {kind}{' '.join(str(error).split())}", file=sys.stderr)
        return False
    for line in lines:
        print(line)
    return True


def name_of(record: Record) -> str:
    return f"{record.cell} ({record.config['preset']}, seed {record.config['seed']})"


def score(results: Path, record: Record, data: str | None, *, metrics: Sequence[str]) -> list[str]:
    """Adds the metrics that the record lacks; returns a line that says so. Raises ValueError where it cannot."""
    added = added_scores(results, record, metrics, data)
    if added:
        add(results, record, added)
    said = f"has new scores: {', '.join(added)}" if added else "has these scores already"
    return [f"{name_of(record)}: {said}"]


def show(results: Path, record: Record, data: str | None) -> list[str]:
    """The texts of a run as lines of JSON. Raises ValueError where there are none."""
    return [json.dumps(line, ensure_ascii=False) for line in kept_lines(results, record, data)]


def kept_lines(results: Path, record: Record, data: str | None = None) -> list[dict[str, Any]]:
    """Every kept text of a run with its item, its scores, and what it was asked.

    data: as in task.data, for texts whose licence keeps their prompts and references out of the results folder; without
    it these have neither. Raises ValueError where no texts are kept.
    """
    columns, config = load_texts(results, record), record.config
    if "prompt" not in columns and data is not None:
        examples = examples_of(task_of_record(record, data), columns["id"])
        asked = {"prompt": [e.prompt for e in examples], "suffix": [e.suffix for e in examples]}
        columns = asked | {"references": [list(references_of(e)) for e in examples]} | columns
    run = {"cell": record.cell, "preset": config["preset"], "seed": config["seed"]}
    return [run | dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def added_scores(results: Path, record: Record, metrics: Sequence[str], data: str | None) -> dict[str, Any]:
    """The entries of all metrics that the record lacks. Raises ValueError where they cannot be computed."""
    known = {entry.get("loaded") for entry in record.scores.values()}
    new = [asked for asked in metrics if asked not in known]
    if not new:
        return {}
    if taken := [asked for asked in new if called(asked) in record.scores]:
        raise ValueError(f"metric={taken[0]}: a metric {called(taken[0])} exists already")
    columns, task = load_texts(results, record), task_of_record(record, data)
    references = columns.get("references") or [references_of(e) for e in examples_of(task, columns["id"])]
    added: dict[str, Any] = {}
    for asked in new:
        found = extra_scores(asked, columns["text"], references, record.places, task.language)
        added |= {name: entry for name, entry in found.items() if name not in record.scores}
    return added


def examples_of(task: Task, ids: Sequence[str]) -> list[Example]:
    """The test examples of these names. Raises ValueError where one is missing."""
    found, wanted = {}, set(ids)
    for example in task.examples("test"):
        if example.id in wanted:
            found[example.id] = example
            if len(found) == len(wanted):
                return [found[item] for item in ids]
    raise ValueError(f"the data have no item {min(wanted - found.keys())}")


def add(results: Path, record: Record, added: Mapping[str, Any]) -> None:
    """Rewrites the record as it is now on disk, with these scores and a note of when and by which version."""
    record = valid_record(results, record.name) or record
    note = {"metrics": list(added), "time": now(), "version": __version__, **tree()}
    provenance = {**record.provenance, "scored": [*record.provenance.get("scored", []), note]}
    write_record(results, replace(record, scores={**record.scores, **added}, provenance=provenance))


def refuse(reason: str) -> NoReturn:
    print(f"wordways-score: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
