"""What revising a draft corrects and what it corrupts, token by token."""

from tasks.metrics.base import ByTask


class FixRate(ByTask):
    """Wrong tokens of the draft that the revision corrects / wrong tokens of the draft."""

    name = "fix_rate"


class BreakRate(ByTask):
    """Right tokens of the draft that the revision corrupts / right tokens of the draft."""

    name = "break_rate"
    higher_is_better = False


class NetGain(ByTask):
    """(Corrected tokens - corrupted tokens) / tokens, averaged over texts."""

    name = "net_gain"
    signed = True


class DraftAccuracy(ByTask):
    """Right drafts / drafts: the accuracy before revision."""

    name = "draft_accuracy"
