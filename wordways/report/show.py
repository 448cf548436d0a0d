"""How numbers are printed: never more digits than are known, never 0 for a number that is only small."""

from wordways.report.stats import Interval

SYMMETRIC = 10  # the sides of an interval may differ by a tenth of its width and still be printed as one number


def fixed(value: float, digits: int) -> str:
    """A number with a fixed number of decimals; below half of the last one, the bound instead of a zero."""
    shown, least = f"{value:.{digits}f}", 10.0**-digits
    if value == 0 or float(shown) != 0:
        return shown
    return f"< {least:.{digits}f}" if value > 0 else f"> -{least:.{digits}f}"


def p_value(p: float) -> str:
    """Three decimals without the leading zero, and never 0."""
    return "< .001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}".removeprefix("0")


def significant(value: float) -> str:
    """Three significant digits, without powers of ten."""
    if value == 0 or 1e-4 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else fixed(value, 3)


def with_interval(interval: Interval, digits: int) -> str:
    """The value and what is half of its interval, or the ends of one that is not symmetric; alone without any."""
    shown = fixed(interval.value, digits)
    if not interval.known():
        return shown
    below, above = interval.value - interval.low, interval.high - interval.value
    if abs(above - below) > max(10.0**-digits, (above + below) / SYMMETRIC):
        return f"{shown} ({interval.low:.{digits}f}–{interval.high:.{digits}f})"
    return f"{shown} ±{(above + below) / 2:.{digits}f}"
