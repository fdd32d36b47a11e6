"""What only a run that goes has: its rate, the time left, and limits as they adapt."""

from typing import Any

from runner.view.pages.parts import money, table
from runner.view.pages.text import line, visible
from runner.view.queries.heartbeat import Live


def pace(live: Live) -> list[str]:
    """Rate, time left and requests."""
    beat = live.status.beat
    sent = f"{beat.get('sent', 0):,} requests sent"
    if not live.is_going:
        return [sent]
    said = [f"{live.rate:,.1f} trials/s"] if live.rate else []
    said += [f"about {duration(live.minutes_left)} left"] if live.minutes_left else []
    return [*said, f"{sent}, {beat.get('in_flight', 0):,} in flight"]


def duration(minutes: float) -> str:
    """A time in words: seconds under two minutes, then minutes, then hours."""
    if minutes < 2:
        return f"{60 * minutes:.0f} s"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def table_of(live: Live) -> Any:
    """Each model with its limits; None before anything is known of them."""
    limits, stopped = live.status.beat.get("limits", {}), live.status.beat.get("stopped", {})
    rows = []
    for name, each in limits.items():
        cap, spent = live.caps.get(name), live.spent.get(name, 0)
        rows.append(
            (
                line(name, 60),
                f"{each['in_use']:,.0f}",
                _slots(live, name, each["concurrency"], each["most"]),
                "none known" if each["requests"] is None else f"{each['requests']:,.0f}",
                "none known" if each["tokens"] is None else f"{each['tokens']:,.0f}",
                money(spent, cap) if spent or cap else "–",
                visible(stopped.get(name, "")) or "no",
            )
        )
    columns = ("model", "in flight", "slots", "requests/min", "tokens/min", "money, all runs", "stopped")
    return table("Models, and their limits as they adapt", columns, rows, columns[1:5]) if rows else None


def _slots(live: Live, model: str, now: float, most: float) -> str:
    """How many requests may be in flight, and between what this has moved since the page first looked."""
    seen = [moment.slots[model] for moment in live.moments if model in moment.slots]
    moved = f" ({min(seen):,.0f} to {max(seen):,.0f} of late)" if seen and min(seen) != max(seen) else ""
    return f"{now:,.0f} of {most:,.0f}{moved}"
