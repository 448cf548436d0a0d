"""Tables from records: quality beside theory, speed, and every cell that did not run, with its reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import pandas as pd

from wordways.names import kind
from wordways.record import Record
from wordways.report import derive, likelihoods
from wordways.report.escape import in_label, in_latex, in_markdown, one_line
from wordways.report.oracles import lines_of, lost_bits
from wordways.report.rows import Row
from wordways.report.signature import signature
from wordways.report.stats import Interval

Mark = Literal["best", "level"]
IN_MARKDOWN = {"": "{}", "best": "**{}**", "level": "<u>{}</u>"}
IN_LATEX = {"": "{}", "best": r"\textbf{{{}}}", "level": r"\underline{{{}}}"}
WIDE = 6  # columns, beyond which letters and gaps shrink
NAMED = 6  # rows, beyond which a note counts them
GAIN = 1.1  # of a rate by a larger batch, up to which the smaller one has saturated the machine
SOLVED, APART = 0.95, 0.5  # a share that counts as solved; shares so far apart say that seeds disagree


@dataclass(frozen=True)
class Table:
    """Cells of text under a title, over a note that says how its numbers were made."""

    name: str
    title: str
    note: str
    frame: pd.DataFrame
    signature: str = ""
    marks: Mapping[tuple[int, int], Mark] = field(default_factory=dict)  # by line and column

    def plain(self) -> str:
        """Aligned, for a terminal."""
        shown = self.frame.map(lambda cell: one_line(str(cell)))
        return "\n".join(
            [self.title, shown.to_string(index=False), one_line(self.note), *self.signature.splitlines(), ""]
        )

    def markdown(self) -> str:
        def line(cells: Sequence[str], number: int = -1) -> str:
            forms = [IN_MARKDOWN[self.marks.get((number, column), "")] for column in range(len(cells))]
            shown = [form.format(in_markdown(str(cell))) for form, cell in zip(forms, cells, strict=True)]
            return "| " + " | ".join(shown) + " |"

        rule = ["---", *["---:"] * (len(self.frame.columns) - 1)]
        body, note = [line(row, number) for number, row in enumerate(self.frame.to_numpy())], in_markdown(self.note)
        signed = ["", f"`{self.signature}`"] if self.signature else []
        return "\n".join(
            [
                f"**{in_markdown(self.title)}**",
                "",
                line(list(self.frame.columns)),
                line(rule),
                *body,
                "",
                note,
                *signed,
                "",
            ]
        )

    def latex(self) -> str:
        """A booktabs table, everything in it escaped."""
        lines = [
            [
                IN_LATEX[self.marks.get((number, column), "")].format(in_latex(str(cell)))
                for column, cell in enumerate(row)
            ]
            for number, row in enumerate(self.frame.to_numpy())
        ]
        heading, *body = [" & ".join(row) + r" \\" for row in [[in_latex(str(c)) for c in self.frame.columns], *lines]]
        signed = rf" \texttt{{{in_latex(self.signature, breaks='|+')}}}" if self.signature else ""
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                *([r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"] if len(self.frame.columns) > WIDE else []),
                rf"\caption{{{in_latex(f'{self.title}. {self.note}')}{signed}}}",
                rf"\label{{tab:{in_label(self.name)}}}",
                rf"\begin{{tabular}}{{l{'r' * (len(self.frame.columns) - 1)}}}",
                r"\toprule",
                heading,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )


@dataclass(frozen=True)
class Measure:
    """A number of a record: its heading in tables, its name and unit in data, what makes the unit of the raw one."""

    heading: str
    name: str
    unit: str
    scale: float
    value: Callable[[Record], Interval | None]


def exactly(value: Callable[[Record], float | None], record: Record) -> Interval | None:
    """A number without an interval: a count, a correlation over a handful of traces."""
    found = value(record)
    return None if found is None else Interval(found, found, found, "none", 1)


def length_measures(rows: Sequence[Row]) -> list[Measure]:
    """None where the canvas says how long a text is."""
    found = [
        Measure("len err", "length_error", "", 1, derive.length_error),
        Measure("waste", "canvas_waste", "", 1, derive.canvas_waste),
    ]
    return found if any(derive.has_own_lengths(row.first()) for row in rows) else []


def batches_of(rows: Sequence[Row]) -> list[int]:
    """In which texts of natural length were timed."""
    return sorted({e["batch"] for row in rows for r in row.records for e in r.timing if e["workload"] == "natural"})


def speed_measures(rows: Sequence[Row]) -> list[Measure]:
    batches = batches_of(rows)
    return [
        Measure("ms/token", "latency_per_token", "ms", 1e3, derive.latency_per_token),
        Measure("E2E ms", "end_to_end", "ms", 1e3, derive.latency),
        Measure("TTFT ms", "time_to_first_token", "ms", 1e3, derive.time_to_first_token),
        Measure("TPOT ms", "time_per_output_token", "ms", 1e3, derive.time_per_output_token),
        *(
            Measure(
                f"tok/s @{batch}", f"tokens_per_second_at_{batch}", "1/s", 1, partial(derive.throughput, batch=batch)
            )
            for batch in batches
        ),
        Measure("calls", "calls", "", 1, derive.calls),
        Measure("tok/call", "tokens_per_pass", "", 1, derive.tokens_per_pass),
        Measure("pos/tok", "positions_per_token", "", 1, derive.positions_per_token),
        *length_measures(rows),
        Measure("MB @1", "peak_megabytes_at_1", "MB", 1e-6, partial(exactly, partial(derive.peak_memory, batch=1))),
    ]


def data_measures(rows: Sequence[Row]) -> list[Measure]:
    """What the data file has beyond the speed table."""
    batches = batches_of(rows)
    return [
        *speed_measures(rows),
        Measure("", "last_useful_token", "ms", 1e3, derive.last_useful_token),
        *(
            Measure(
                "",
                f"characters_per_second_at_{batch}",
                "1/s",
                1,
                partial(derive.throughput, batch=batch, of="useful_chars"),
            )
            for batch in batches
        ),
        Measure("", "revised_share", "", 1, partial(exactly, derive.revisions)),
        Measure("", "order_kendall_tau", "", 1, partial(exactly, derive.order_correlation)),
    ]


def quality_columns(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """(heading, metric, stratum): the first metric's strata, or all metrics where there is a single stratum."""
    strata = list(dict.fromkeys(stratum for row in rows for stratum in row.first().groups()))
    metrics = list(metrics_of(rows))
    if len(strata) == 1:
        return [(metric, metric, strata[0]) for metric in metrics]
    return [(stratum, metrics[0], stratum) for stratum in strata]


def metrics_of(rows: Sequence[Row]) -> dict[str, Mapping[str, Any]]:
    """What the rows' metrics are, by name: the task's own, the first its headline, and behind them those loaded."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for name, entry in row.first().scores.items():
            found.setdefault(name, entry)
    return dict(sorted(found.items(), key=lambda named: "loaded" in named[1]))


def quality_table(rows: Sequence[Row]) -> Table:
    return judged_table("Quality", rows, quality_columns(rows))


def metrics_table(rows: Sequence[Row]) -> Table | None:
    """Every metric over all strata together, where the quality table has room for one metric only."""
    metrics = list(metrics_of(rows))
    if len(quality_columns(rows)) >= len(metrics) == len({metric for _, metric, _ in quality_columns(rows)}):
        return None
    return judged_table("Metrics", rows, [(metric, metric, None) for metric in metrics])


def judged_table(title: str, rows: Sequence[Row], columns: Sequence[tuple[str, str, str | None]]) -> Table:
    frame, methods, known = [], set(), metrics_of(rows)
    metrics = {metric: known[metric] for _, metric, _ in columns}
    for row in rows:
        theory = {(line["measure"], line["operation"]): line for line in lines_of(row.first())}
        cells = {"": row.label}
        for heading, metric, stratum in columns:
            measured = row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum))
            digits, apart = digits_of(metrics[metric]), split(row, metric, stratum, metrics[metric]["unit"])
            cells[heading] = beside_theory(measured, digits, theory.get((metric, stratum))) + apart
            methods |= set() if measured is None or not measured.known() else {f"{measured.method}, n = {measured.n:,}"}
        frame.append(cells)
    data = {h: derive.quality_of_data(rows[0].first(), metric, stratum) for h, metric, stratum in columns}
    if any(data.values()):
        places = {heading: digits_of(metrics[metric]) for heading, metric, _ in columns}
        frame.append({"": "the data"} | {h: beside_theory(value, places[h], None) for h, value in data.items()})
    units = ", ".join(f"{name} in {entry['unit']}" for name, entry in metrics.items() if entry["unit"])
    signatures = "".join(f" {name}: {entry['signature']}." for name, entry in metrics.items() if entry.get("signature"))
    exact = " In brackets the exact value theory demands; ✗ marks a cell that misses it." if theory_known(rows) else ""
    note = f"{units}, ± half a 95 % interval ({'; '.join(sorted(methods))}).{exact}{lost_note(rows)}{signatures}"
    return Table(f"{title.lower()}_{rows[0].task}", f"{title}, {rows[0].task}", note, pd.DataFrame(frame))


def digits_of(entry: Mapping[str, Any]) -> int:
    """Decimals that say something: of numbers up to 100 one."""
    return 1 if entry["unit"] in ("BLEU", "chrF", "perplexity") else 3


def split(row: Row, metric: str, stratum: str | None, unit: str) -> str:
    """Where some seeds solve a task and others do not, a mean says little: how many do."""
    found = [derive.quality(record, metric, stratum) for record in row.records]
    shares = [interval.value for interval in found if interval is not None]
    apart = max(shares, default=0) - min(shares, default=0) >= APART
    if not apart or unit != "share":
        return ""
    return f", solved {sum(share >= SOLVED for share in shares)} of {len(shares)}"


def theory_known(rows: Sequence[Row]) -> bool:
    return any(True for row in rows for _ in lines_of(row.first()))


def beside_theory(measured: Interval | None, digits: int, line: Mapping[str, Any] | None) -> str:
    if measured is None:
        return "–"
    half = (measured.high - measured.low) / 2
    shown = f"{measured.value:.{digits}f}" + (f" ±{half:.{digits}f}" if measured.known() else "")
    if line is None:
        return shown
    holds = abs(measured.value - line["theory"]) <= line["tolerance"]
    return f"{shown} [{line['theory']:.4g}]{'' if holds else ' ✗'}"


LENGTHS_NOTE = (
    " Length: who says where a text ends: its end token (eos), a number predicted beforehand, the reference (oracle), "
    "nobody (fixed). len err: difference to the reference's tokens / these; waste: share of the holes behind the end."
)


def speed_table(rows: Sequence[Row]) -> Table:
    measures, lengths_differ = speed_measures(rows), bool(length_measures(rows))
    frame = []
    for row in rows:
        found = {measure.heading: row.over_seeds(measure.value) for measure in measures}
        cells = {m.heading: rounded(found[m.heading], m.scale) for m in measures}
        mode = {"length": derive.length_mode(row.first())} if lengths_differ else {}
        frame.append({"": row.label} | mode | cells)
    where = rows[0].first()
    device = f"{where.provenance['device']}, {where.provenance['threads']} threads, {where.config['dtype']}"
    repeats = where.config["measure"]["repeats"]
    note = (
        f"Batch 1 unless @ says otherwise; useful tokens only; medians over texts of medians of {repeats} repeats. "
        f"{device}; {where.budgets['params']:,} parameters each. TPOT is 0 by definition for one pass."
    )
    note += largest_batch_note(rows) + LENGTHS_NOTE * lengths_differ
    return Table(f"speed_{rows[0].task}", f"Speed, {rows[0].task}", note, pd.DataFrame(frame))


def largest_batch_note(rows: Sequence[Row]) -> str:
    """Whether the machine is as busy there as it can be: which rows still gain by a larger batch."""
    batches = batches_of(rows)
    if len(batches) < 2:
        return ""
    found = [[row.over_seeds(partial(derive.throughput, batch=batch)) for batch in batches[-2:]] for row in rows]
    gaining = [row.label for row, (a, b) in zip(rows, found, strict=True) if a and b and b.value > GAIN * a.value]
    named = ", ".join(gaining) if len(gaining) <= NAMED else f"{len(gaining)} of {len(rows)} rows"
    which = f"not saturated yet for {named}" if gaining else "saturated"
    return f" Largest batch: {batches[-1]}, {which} (a tenth above the rate at {batches[-2]} counts as gain)."


def lost_note(rows: Sequence[Row]) -> str:
    """C of the strata in which it is not 0."""
    lost = lost_bits(rows[0].first())
    counted = ", ".join(f"{stratum} {bits:.3f}" for stratum, bits in lost.items() if bits)
    if not lost:
        return ""
    others = "" if len(lost) == 1 else " and 0 in the others" if counted else "0"
    return f" C, bits lost where all is written at once: {counted}{others}."


LAW_COLUMNS = {
    "KL(q, p)": ("law_kl", likelihoods.law_kl_per_token),
    "bound": ("bound_kl", likelihoods.bound_kl_per_token),
    "slack": ("", likelihoods.slack_per_token),
    "KL(p, q)": ("reverse_kl", likelihoods.reverse_kl_per_token),
}


def law_table(rows: Sequence[Row]) -> Table | None:
    """Model and exact law beside each other, where tokens are drawn from the model's; None where no law is known."""
    frame = []
    for row in rows:
        law, (stratum, *_) = row.first().likelihood, row.first().groups()
        if law is None or not law.get("exposure") or not likelihoods.undistorted(row.first()):
            continue
        theory: dict[str, Any] = {line["measure"]: line for line in lines_of(row.first())}
        theory["law_kl" if law["kind"] == "exact" else "bound_kl"] = theory.get("kl")
        cells = {"": row.label}
        for heading, (measure, value) in LAW_COLUMNS.items():
            measured = row.over_seeds(partial(value, stratum=stratum))
            cells[heading] = beside_theory(measured, 4, theory.get(measure))
        cells["token error"] = beside_theory(row.over_seeds(likelihoods.token_error), 4, None)
        right = row.over_seeds(partial(derive.quality, metric="accuracy"))
        cells["sequence error"] = "–" if right is None else f"{1 - right.value:.3f}"
        cells["ExAccErr"] = beside_theory(row.over_seeds(likelihoods.exposure_bias), 2, None)
        frame.append(cells)
    note = (
        "q: the exact law; p: the model's, as it is sampled from. KL, the bound on it (of one hole a call in random "
        "order), its slack and the token error (KL behind one token, along the data) in nats a token, ± half a 95 % "
        "interval; KL(p, q) given that the text is possible; sequence error: the share that is not; ExAccErr: exposure "
        "bias at a text's last token. In brackets what theory demands."
    )
    return Table(f"law_{rows[0].task}", f"The exact law, {rows[0].task}", note, pd.DataFrame(frame)) if frame else None


def likelihood_table(rows: Sequence[Row]) -> Table:
    frame = []
    for row in rows:
        law, theory = row.first().likelihood, {(x["measure"], x["operation"]): x for x in lines_of(row.first())}
        kinds = {"nats_per_token": (law["kind"] if law else "–", likelihoods.nats_per_token)}
        if law and law.get("exact"):
            kinds["exact_nats_per_token"] = ("exact, over all orders", likelihoods.exact_nats_per_token)
        for name, (sort, value) in kinds.items():
            cells = {"": row.label, "kind": sort}
            for stratum in row.first().groups():
                measured = row.over_seeds(partial(value, stratum=stratum))
                cells[stratum] = beside_theory(measured, 3, theory.get((name, stratum)))
            if law and "bytes" in law:
                cells["bits/byte"] = beside_theory(row.over_seeds(likelihoods.bits_per_byte), 3, None)
            frame.append(cells)
    note = (
        "Nats a token of the reference text and its end, ± half a 95 % interval over texts. exact: the law that is "
        "sampled from; bound: above that of one hole a call; pseudo: of no joint law. Kinds are not to be ranked."
    )
    return Table(f"likelihood_{rows[0].task}", f"Likelihood, {rows[0].task}", note, pd.DataFrame(frame))


def budget_table(rows: Sequence[Row]) -> Table:
    taught = any("teacher" in row.first().config["train"] for row in rows)
    frame = [
        {
            "": row.label,
            "parameters": f"{budgets['params']:,}",
            "steps": f"{budgets['steps']:,}",
            "tokens": f"{budgets['tokens']:,}",
            "supervised tokens": f"{budgets['supervised_tokens']:,}",
            "TFLOP": f"{budgets['flops'] / 1e12:.3g}",
        }
        | lessons(row.first(), taught)
        for row in rows
        for budgets in [row.first().budgets]
    ]
    note = "What training took: the first three are matched, the other two follow from the paradigm's loss."
    if taught:
        note += " A teacher's TFLOP, its training and the writing of what its student learns, come on top."
    return Table(f"budgets_{rows[0].task}", f"Budgets, {rows[0].task}", note, pd.DataFrame(frame))


def lessons(record: Record, shown: bool) -> dict[str, str]:
    """What a training learned from, where that is not the data everywhere."""
    if not shown:
        return {}
    teacher, flops = record.config["train"].get("teacher"), record.budgets.get("teacher_flops")
    if teacher is None or flops is None:
        return {"trained on": "data", "teacher": "–", "teacher TFLOP": "–"}
    return {"trained on": "teacher's texts", "teacher": kind(teacher), "teacher TFLOP": f"{flops / 1e12:.3g}"}


def oracle_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """Theory, measured, interval, holds or not, line by line."""
    frame = [
        {
            "": f"{line['preset']}, seed {line['seed']}",
            "task": f"{line['task']}, n = {line['n']}",
            "stratum": line["operation"],
            "measure": line["measure"],
            "theory": f"{line['theory']:.4f}",
            "± allowed": f"{line['tolerance']:g}",
            "measured": f"{line['measured']:.4f}",
            "95 % interval": f"{line['low']:.4f} to {line['high']:.4f}",
            "holds": "yes" if line["holds"] else "NO",
        }
        for line in lines
    ]
    kept = sum(line["holds"] for line in lines)
    note = f"{kept} of {len(lines)} cells with an exact answer hold."
    return Table("oracles", "Theory and measurement", note, pd.DataFrame(frame))


def rounded(interval: Interval | None, scale: float) -> str:
    """Three significant digits; a dash where there is no value."""
    if interval is None:
        return "–"
    value = interval.value * scale
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def data_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Every number of the tables and more, one a line, unrounded, with interval, method and theory."""
    lines, measures = [], data_measures(rows)
    for row in rows:
        names = {"task": row.task, "row": row.label, "paradigm": row.paradigm, "seeds": len(row.records)}
        signed = {"signature": signature([row])}
        theory = {(line["measure"], line["operation"]): line for line in lines_of(row.first())}
        strata = row.first().groups()
        found: list[tuple[str, str, str, float, Interval | None]] = [
            (stratum, metric, entry["unit"], 1, row.over_seeds(partial(derive.quality, metric=metric, stratum=stratum)))
            for stratum in strata
            for metric, entry in row.first().scores.items()
        ]
        found += [
            (stratum, "nats_per_token", "nats", 1, row.over_seeds(partial(likelihoods.nats_per_token, stratum=stratum)))
            for stratum in strata
        ]
        found += [
            (stratum, "bits_per_byte", "bits", 1, row.over_seeds(partial(likelihoods.bits_per_byte, stratum=stratum)))
            for stratum in strata
        ]
        found += [("", m.name, m.unit, m.scale, row.over_seeds(m.value)) for m in measures]
        for stratum, name, unit, scale, interval in found:
            if interval is not None:
                line = theory.get((name, stratum), {})
                lines.append(
                    names
                    | {"stratum": stratum, "measure": name, "unit": unit}
                    | {key: getattr(interval, key) * scale for key in ("value", "low", "high")}
                    | {"method": interval.method, "n": interval.n}
                    | {key: line.get(key) for key in ("theory", "tolerance")}
                    | signed
                )
        kind = row.first().likelihood
        lines += [
            names | {"stratum": "", "measure": name, "unit": "", "value": value, "method": "count", "n": 1} | signed
            for name, value in row.first().budgets.items()
        ] + ([names | {"stratum": "", "measure": "likelihood_kind", "unit": kind["kind"]} | signed] if kind else [])
    return pd.DataFrame(lines)


def missing_lines(records: Sequence[Record]) -> list[str]:
    """A line for every cell that has no numbers, with its reason."""
    return [
        f"{record.status}: {record.config['preset']}, seed {record.config['seed']}: "
        f"{record.reason.strip().splitlines()[-1]}"
        for record in records
        if record.status != "ok"
    ]
