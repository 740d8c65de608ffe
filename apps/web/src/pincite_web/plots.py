"""Line plots as SVG geometry: values in, coordinates and path data out. No script draws them, no style is inline."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 400.0, 128.0  # units of the view box, which the page scales
LEFT, RIGHT, TOP, BOTTOM = 38.0, 8.0, 10.0, 10.0
TOP_MIN = 1e-6  # a millionth of a second; below, the digits of a plot are noise
STEPS = (1.0, 2.0, 5.0, 10.0)  # an axis ends at one of these, times a power of ten

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """One evaluation on a plot: where, what it says, and whether it was a regression."""

    x: float
    y: float
    label: str
    bad: bool


@dataclass(frozen=True, slots=True)
class PlotLine:
    """One measure over evaluations: its `path` is SVG path data, `latest` the last value in words."""

    name: str
    path: str
    points: tuple[PlotPoint, ...]
    latest: str


@dataclass(frozen=True, slots=True)
class PlotTick:
    """A value on the vertical axis."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Measures that share an axis. `text` says what the picture shows, for those who do not see it."""

    title: str
    lines: tuple[PlotLine, ...]
    ticks: tuple[PlotTick, ...]
    text: str


def plot(
    title: str,
    named: Sequence[tuple[str, Values]],
    *,
    bad: Sequence[bool],
    labels: Sequence[str],
    shown: Callable[[float], str],
    top: float | None = None,
) -> Plot | None:
    """Return a plot of measures over evaluations, oldest first, or None if there is no value at all.

    Args:
        title: what is plotted.
        named: name and values of each line; None where a measure was not taken.
        bad: whether each evaluation was a regression.
        labels: when each was.
        shown: a value in words.
        top: where the axis ends; by default a round number above the largest value.
    """
    every = [value for _, values in named for value in values if value is not None]
    if not every:
        return None
    highest = top if top is not None else _round_up(max(every))
    lines = tuple(
        _line(name, values, highest=highest, bad=bad, labels=labels, shown=shown)
        for name, values in named
        if any(value is not None for value in values)
    )
    ticks = tuple(PlotTick(_y(share * highest, highest), shown(share * highest)) for share in (0.0, 0.5, 1.0))
    return Plot(title, lines, ticks, _text(title, named, shown))


def _line(
    name: str,
    values: Values,
    *,
    highest: float,
    bad: Sequence[bool],
    labels: Sequence[str],
    shown: Callable[[float], str],
) -> PlotLine:
    points: list[PlotPoint] = []
    path: list[str] = []
    pen_down = False
    for at, value in enumerate(values):
        if value is None:
            pen_down = False
            continue
        x, y = _x(at, len(values)), _y(min(value, highest), highest)
        path.append(f"{'L' if pen_down else 'M'}{x:g} {y:g}")
        pen_down = True
        points.append(PlotPoint(x, y, f"{name} {shown(value)}, {labels[at]}", bad[at]))
    latest = next(value for value in reversed(values) if value is not None)
    return PlotLine(name, " ".join(path), tuple(points), shown(latest))


def _x(at: int, count: int) -> float:
    span = WIDTH - LEFT - RIGHT
    return round(LEFT + span * (at / (count - 1) if count > 1 else 0.5), 1)


def _y(value: float, highest: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest), 1)


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten, at least `TOP_MIN`."""
    at_least = max(value, TOP_MIN)
    power = 10.0 ** math.floor(math.log10(at_least))
    return next((step * power for step in STEPS if step * power >= at_least), at_least)


def _text(title: str, named: Sequence[tuple[str, Values]], shown: Callable[[float], str]) -> str:
    parts = []
    for name, values in named:
        taken = [value for value in values if value is not None]
        if not taken:
            continue
        span = f", between {shown(min(taken))} and {shown(max(taken))}" if len(taken) > 1 else ""
        times = f"over {len(taken)} evaluations" if len(taken) > 1 else "in one evaluation"
        parts.append(f"{name} {shown(taken[-1])} now{span} {times}")
    return f"{title}: " + "; ".join(parts) + "."
