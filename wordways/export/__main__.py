"""The `wordways-export` command: writes the trained model of a run as a Hugging Face folder."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

import torch

from wordways.command import interruptible, print_anywhere
from wordways.export.card import PROMPT, Shown, card_of
from wordways.export.folder import config_of, generation_of, write_json, write_tokenizer, write_weights
from wordways.export.readings import readings_of
from wordways.files import new_folder, write_atomically
from wordways.record import Record, holds_records, read_records
from wordways.run.recorded import cell_of_record
from wordways.run.session import trained_paradigm
from wordways.run.subject import Subject, test_set
from wordways.settings import SettingError


def main() -> None:
    """Exits with status 2 and one line where a run cannot be exported."""
    print_anywhere()
    parser = argparse.ArgumentParser(
        prog="wordways-export",
        description="Writes the trained model of a run as a Hugging Face folder: weights in the layout of Llama, "
        "tokenizer, generation settings, and a model card with the run's numbers and its attention mask.",
    )
    parser.add_argument("results", type=Path, help="a results folder")
    parser.add_argument("cell", help="the run: its name, or the beginning of it, as in cells/<name>.json")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to write; must not exist")
    parser.add_argument(
        "--checkpoints", type=Path, default=Path("results/.checkpoints"), metavar="FOLDER",
        help="where the trainings are, as in checkpoints= (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--data", metavar="FOLDER", help="the data of a run on real text, as in task.data=")
    asked = parser.parse_args()
    with interruptible("wordways-export", lambda: "nothing was written"):
        try:
            export(record_named(asked.results, asked.cell), asked.out, asked.checkpoints, asked.data)
        except SettingError as error:
            refuse(str(error))
        except OSError as error:
            refuse(f"--out {asked.out}: cannot be written ({error.strerror})")
    print(asked.out)


def record_named(results: Path, name: str) -> Record:
    """The one record whose name, or an older name of which, begins so. Raises SettingError where there is not one."""
    if not holds_records(results):
        raise SettingError(f"{results}: holds no records")
    found = [one for one in read_records(results)[0] if any(n.startswith(name) for n in (one.cell, *one.aliases))]
    if len(found) != 1:
        several = ", ".join(f"{one.cell} ({one.config['preset']}, seed {one.config['seed']})" for one in found[:4])
        raise SettingError(
            f"{name}: {f'is the beginning of {several}' if found else f'no run in {results} is so named'}"
        )
    return found[0]


def export(record: Record, out: Path, checkpoints: Path, data: str | None) -> None:
    """Writes the whole folder, or nothing. Raises SettingError with one line that says why a run cannot be exported."""
    if out.exists():
        raise SettingError(f"--out {out}: exists already")
    check_exportable(record)
    cell = cell_of_record(record, checkpoints, data)
    if not cell.has_checkpoint:
        raise SettingError(
            f"{record.cell}: its training is not in {cell.checkpoint}; --checkpoints names another folder"
        )
    text = cell.text
    paradigm = trained_paradigm(cell, text, torch.device("cpu"), lambda: None)
    examples, rows = test_set(text.task, text, cell.measure.items)
    subject = Subject(paradigm, text, examples, rows, cell.run.seed, torch.device("cpu"))
    try:
        readings = readings_of(paradigm, subject.blank([0]), subject.noise([0]))
        positions = power_of_two(
            max(len(row.prompt) + max(row.room, len(row.target)) + len(row.suffix) for row in rows)
        )
        config = config_of(paradigm.backbone, text.vocabulary, positions, readings, record.cell)
        decoder, holes = record.config["paradigm"].get("decoder", {}), max(row.room for row in rows)
        generation = generation_of(text.vocabulary, decoder, holes, readings)
    except ValueError as error:
        raise SettingError(f"{record.cell} ({record.config['preset']}): {error}") from None
    example, shareable = examples[0], text.task.shareable
    shown = Shown(
        example.prompt if shareable else PROMPT,
        example.suffix if shareable else "",
        text.task.fill_in_the_middle,
        int(subject.blank([0]).holes_BL.sum()),
    )
    with new_folder(out) as folder:
        folder.mkdir()
        write_weights(folder, paradigm.backbone)
        write_json(folder / "config.json", config)
        write_json(folder / "generation_config.json", generation)
        write_tokenizer(folder, text)
        write_atomically(folder / "README.md", card_of(record, readings, shown, shareable))


def check_exportable(record: Record) -> None:
    """Raises SettingError for a record without trained weights of its own."""
    name = f"{record.cell} ({record.config['preset']})"
    if record.status != "ok":
        raise SettingError(f"{name}: has no model, its run is {record.status}")
    if record.is_baseline:
        raise SettingError(f"{name}: is a trivial baseline, which has no weights")
    if "weights" in record.config["backbone"]:
        public = record.config["backbone"]["name"]
        raise SettingError(
            f"{name}: has the network of the public checkpoint {public}; export reads only our own trunk"
        )


def power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def refuse(reason: str) -> NoReturn:
    print(f"wordways-export: {reason}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
