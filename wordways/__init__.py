"""The harness: it trains, watches, times, scores and reports; it never knows which paradigm it has before it."""

__version__ = "0.1.0"
