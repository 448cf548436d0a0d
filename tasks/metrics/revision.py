"""What a revision mends and what it spoils, token by token."""

from tasks.metrics.accuracy import Accuracy


class FixRate(Accuracy):
    """Tokens right afterwards / tokens wrong before."""

    name = "fix_rate"


class BreakRate(Accuracy):
    """Tokens wrong afterwards / tokens right before."""

    name = "break_rate"
    higher_is_better = False


class NetGain(Accuracy):
    """(Tokens fixed - tokens broken) / tokens."""

    name = "net_gain"


class DraftAccuracy(Accuracy):
    """Accuracy before anything was revised."""

    name = "draft_accuracy"
