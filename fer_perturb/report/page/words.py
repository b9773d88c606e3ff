"""How numbers are written in the report."""

from markupsafe import Markup

MINUS = "\u2212"
NONE = "\u2013"


def points(share: float) -> str:
    """A difference of shares, in points: 1.2 points."""
    value = f"{100 * share:.1f}".replace("-", MINUS)
    return f"{value} {'point' if value == '1.0' else 'points'}"


def signed(share: float | None, digits: int = 1) -> str:
    """A difference of shares in points, without their name: +1.2."""
    if share is None or share != share:
        return NONE
    return f"{100 * share:+.{digits}f}".replace("-", MINUS)


def span(low: float, high: float) -> str:
    """An interval of points: -1.2 to +3.4."""
    return f"{signed(low)} to {signed(high)}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent, without the sign."""
    return NONE if share is None or share != share else f"{100 * share:.{digits}f}"


def decimal(value: float | None, digits: int = 3) -> str:
    return NONE if value is None or value != value else f"{value:.{digits}f}".replace("-", MINUS)


def sorting(value: float | None) -> str:
    """What a cell is sorted by; nothing where there is no value."""
    return "" if value is None or value != value else f"{value:.6g}"


def seconds(value: float | None) -> str:
    """A duration, at a glance."""
    if value is None:
        return NONE
    if value < 100:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"


def code(text: str) -> Markup:
    """Text with its commands, between backticks, set as code; all else is escaped."""
    parts = Markup.escape(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )
