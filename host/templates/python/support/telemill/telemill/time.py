"""Times are whole numbers: microseconds since 1970-01-01T00:00:00Z."""

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def steps_of(window, step: int):
    """The instants of a window on the grid of steps, each with its step's index counted from 1970."""
    first = -(-window.start // step)
    return ((index * step, index) for index in range(first, -(-window.end // step)))


def hour_of_day(t: int) -> float:
    """The hour of the day in UTC, with its fraction."""
    return t % DAY / HOUR


def weekday(t: int) -> int:
    """The day of the week in UTC, 0 for Monday."""
    return (t // DAY + 3) % 7
