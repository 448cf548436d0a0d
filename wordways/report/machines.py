"""The machines behind records: what is known of each, and whether they differ enough to make timings incomparable."""

from collections import Counter
from collections.abc import Sequence

from wordways.record import Record, cell_id, remembered

PEAKS = {"flops_per_s": "GFLOP/s", "bytes_per_s": "GB/s"}  # the measured peaks of provenance, and their units in 10^9
TOLERANCE = 1.1  # ratio of two peaks up to which machines count as equally fast


def device_of(record: Record) -> str:
    """The processor or accelerator and the number of CPU threads; a CPU's family and model where they are known.

    The system's name alone pins no machine: virtual ones of several generations call themselves AMD EPYC.
    """
    cpu = (record.provenance.get("processor") or {}) if record.config["device"] == "cpu" else {}
    return named(record, "".join(f" {part} {cpu[part]}" for part in ("family", "model") if cpu.get(part) is not None))


def named(record: Record, model: str = "") -> str:
    return f"{record.provenance['device']}{model}/{record.provenance['threads']} threads"


def devices(records: Sequence[Record]) -> list[str]:
    """The different devices; one whose model is unknown may be any other of its name."""
    known = {named(record) for record in records if device_of(record) != named(record)}
    return [name for name in dict.fromkeys(map(device_of, records)) if name not in known]


@remembered
def run_of(record: Record) -> str:
    """What was run, whatever its file is called: records that agree in it are the same training and decoder again."""
    return cell_id(record.config)


def by_machine(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by the machine that they come from, as labels say it; a run that one has twice is parted by number.

    A machine whose model is unknown counts as any other of its name, as in `devices`.
    """
    known = {named(record): device_of(record) for record in records if device_of(record) != named(record)}
    found: dict[str, list[Record]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for record in records:
        machine = known.get(device_of(record), device_of(record))
        times[machine, run_of(record)] += 1
        number = times[machine, run_of(record)]
        found.setdefault(f"on {machine}" if number == 1 else f"on {machine}, copy {number}", []).append(record)
    return found


def torch_of(record: Record) -> str:
    return str(record.provenance["versions"].get("torch"))


def commit_state(record: Record) -> str:
    """The version of this package, and whether the run had changes that no commit holds."""
    changed = " with uncommitted changes" if record.provenance.get("dirty") else ""
    return f"{record.provenance['versions']['wordways']}{changed}"


def peaks_of(records: Sequence[Record]) -> list[str]:
    """The range of the measured peaks in two digits; `unknown` where a record has none."""
    found = [f"{span(records, peak, 2)} {unit}" for peak, unit in PEAKS.items() if rates(records, peak)]
    lacking = any(not record.provenance.get("peak") for record in records)
    return [", ".join(found)] * bool(found) + ["unknown"] * lacking


def mixed_machines(records: Sequence[Record]) -> str:
    """One sentence that says how the records' machines differ; empty where device, threads, torch and peaks agree."""
    names, versions = devices(records), list(dict.fromkeys(map(torch_of, records)))
    differing = [" and ".join(names)] * (len(names) > 1)
    differing += [f"torch {' and '.join(versions)}"] * (len(versions) > 1)
    speeds = [f"{span(records, peak, 3, ' to ')} {unit}" for peak, unit in PEAKS.items() if differ(records, peak)]
    if not differing and not speeds:
        return ""
    kind = "different machines" if differing else "machines of different speed"
    return f"Rows were timed on {kind}: {', '.join([*differing, *speeds])}."


def rates(records: Sequence[Record], peak: str) -> list[float]:
    """One peak, in 10^9 per second, of every record that measured it."""
    return [record.provenance["peak"][peak] / 1e9 for record in records if record.provenance.get("peak")]


def differ(records: Sequence[Record], peak: str) -> bool:
    found = rates(records, peak)
    return bool(found) and max(found) > TOLERANCE * min(found)


def span(records: Sequence[Record], peak: str, digits: int, to: str = "-") -> str:
    """The least and the greatest rate in significant digits, without exponents; one number where both are the same."""
    ends = [f"{float(f'{end(rates(records, peak)):.{digits}g}'):.10g}" for end in (min, max)]
    return to.join(dict.fromkeys(ends))
