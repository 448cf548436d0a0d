"""How numbers are printed: never more digits than are known, never 0 for a number that is only small."""

from math import floor, log10

from wordways.report.stats import Interval

EXACT = 1e-9  # relative width of an interval up to which a number is exact, such as a count
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
    shown, interval = fixed(interval.value, digits), interval.printed()
    if not interval.known():
        return shown
    half = symmetric(interval.value, interval.low, interval.high, digits)
    if half is None:
        return f"{shown} ({interval.low:.{digits}f}–{interval.high:.{digits}f})"
    return f"{shown} ±{half:.{digits}f}"


def measured(interval: Interval, scale: float) -> str:
    """A number of any size, in the unit that `scale` leads to: three significant digits, and its interval as above."""
    value, interval = interval.value * scale, interval.printed()
    low, high = interval.low * scale, interval.high * scale
    if not interval.known() or high - low <= EXACT * abs(value):
        return significant(value)
    digits = max(0, 2 - floor(log10(abs(value)))) if value else 3
    shown, half = f"{value:,.{digits}f}", symmetric(value, low, high, digits)
    if half is None:
        return f"{shown} ({significant(low)}–{significant(high)})"
    return f"{shown} ±{half:,.{digits}f}" if half >= 0.5 * 10.0**-digits else f"{shown} ±{half:.1g}"


def symmetric(value: float, low: float, high: float, digits: int) -> float | None:
    """Half of an interval that is symmetric in the digits that are printed; None of another."""
    below, above = value - low, high - value
    return None if abs(above - below) > max(10.0**-digits, (above + below) / SYMMETRIC) else (above + below) / 2
