"""The table of checks: measurements beside their analytic values, one check per line."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from wordways.report.table import Table


def oracle_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """Analytic value, tolerance, measurement, interval, and whether the check passes."""
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
    note = f"{passed} of {len(lines)} measurements with an analytic value lie within its tolerance."
    return Table("oracles", "Analytic values and measurements", note, pd.DataFrame(frame))
