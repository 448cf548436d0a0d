"""The table of checks: measurements beside their analytic values, one check per line."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from wordways.report.equivalence import in_words
from wordways.report.table import Table


def oracle_table(lines: Sequence[Mapping[str, Any]], harness: Sequence[Mapping[str, Any]] = ()) -> Table:
    """Analytic value, tolerance, measurement, interval, and whether the check passes.

    harness: the checks of decoders against the models' own probabilities, which the note counts.
    """
    frame = [
        {
            "": f"{line['preset']}, seed {line['seed']}",
            "task": f"{line['task']}, n = {line['n']}",
            "stratum": line["operation"],
            "measure": line["measure"],
            "analytic value": f"{line['theory']:.4f}",
            "tolerance": f"{line['tolerance']:g}",
            "measured": f"{line['measured']:.4f}",
            "95 % interval": f"{line['low']:.4f} to {line['high']:.4f}",
            "passes": "yes" if line["holds"] else "NO",
        }
        for line in lines
    ]
    passed = sum(line["holds"] for line in lines)
    learner = f"Learner: {passed} of {len(lines)} measurements lie within the tolerance of their analytic value."
    note = f"Harness: {in_words(harness)} {learner}" if harness else learner
    return Table("oracles", "Analytic values and measurements", note, pd.DataFrame(frame), "", details(lines))


def details(lines: Sequence[Mapping[str, Any]]) -> str:
    """What passing means, and how many checks pass and fail with their whole interval."""
    inside, outside = (
        sum(line["holds"] == passes and not straddles(line) for line in lines) for passes in (True, False)
    )
    return (
        "Harness: accuracy against its expectation under the model's own probabilities, which no training changes "
        "(tables `equivalence`). Learner: analytic values are those of an ideal model, so that a check fails where "
        "training has not reached it. passes: the measured value, whatever its interval, differs from the analytic one "
        f"by at most the tolerance, upwards or downwards. With their whole interval {inside} checks pass and {outside} "
        "fail."
    )


def straddles(line: Mapping[str, Any]) -> bool:
    """Whether the interval has values within the tolerance and values beyond it."""
    least, most = line["theory"] - line["tolerance"], line["theory"] + line["tolerance"]
    within, beyond = least <= line["low"] and line["high"] <= most, line["high"] < least or line["low"] > most
    return not (within or beyond)
