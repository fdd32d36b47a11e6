"""The first page: what an ended run found; how far a run is, what it costs and what goes wrong."""

from typing import Any

import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html, no_update

from runner.view.pages.narrowing import narrowing
from runner.view.pages.parts import bar, moment, named, number, table
from runner.view.pages.text import line, visible
from runner.view.queries.file import request_stop, version_of
from runner.view.queries.heartbeat import Live
from runner.view.source import Source
from runner.view.statistics import Effects
from scoring.report.figures import forest
from scoring.report.findings import title_of

BEAT, SLOWLY = 2000, 5000  # milliseconds: while a run goes, and otherwise
_PLOT: Any = {"displayModeBar": False, "displaylogo": False, "responsive": True}


def render(source: Source, search: str) -> list[Any]:
    """The page as it is now; from then on it is refreshed every other second."""
    live = source.live()
    return [
        html.H1("Overview"),
        html.Div(account(live, effects_of(source), source.effects.error), id="live"),
        html.Div(
            [
                html.Button("Stop the run after what is in flight", id="stop", disabled=not live.is_going),
                html.Span(id="stopped", role="status"),
                dcc.ConfirmDialog(
                    id="stop-sure",
                    message="Stop this run after what is in flight? What was answered is kept; mtpa-run, started "
                    "again, goes on from there.",
                ),
            ],
            className="actions",
        ),
        html.Div(id="figures"),
        dcc.Store(id="drawn", data=-1),
        dcc.Interval(id="beat", interval=BEAT),
    ]


def _plot(name: str, title: str, figure: go.Figure) -> html.Figure:
    graph = dcc.Graph(id=name, figure=figure, config=_PLOT, style={"height": figure.layout.height})
    shown = named(html.Div(graph, role="img"), f"{title}; the table has the numbers")
    return html.Figure([html.Figcaption(title), shown])


def register(app: Dash, source: Source) -> None:
    """What keeps the page up to date, and the one button."""

    @app.callback(
        Output("live", "children"),
        Output("stop", "disabled"),
        Output("figures", "children"),
        Output("drawn", "data"),
        Output("beat", "interval"),
        Input("beat", "n_intervals"),
        State("drawn", "data"),
    )
    def refresh(_: int, drawn: int) -> Any:
        live, found, serial = source.live(), effects_of(source), source.effects.serial
        figures = no_update if found is None or serial == drawn else _figures(found)
        disabled = not live.is_going or live.stopping
        pace = BEAT if live.is_going or found is None else SLOWLY
        return account(live, found, source.effects.error), disabled, figures, serial, pace

    # Asked by the browser itself, so that the question comes at once however busy this process is.
    sure = Output("stop-sure", "displayed")
    app.clientside_callback("() => true", sure, Input("stop", "n_clicks"), prevent_initial_call=True)  # type: ignore[no-untyped-call]

    @app.callback(Output("stopped", "children"), Input("stop-sure", "submit_n_clicks"), prevent_initial_call=True)
    def stop(_: int) -> str:
        asked = request_stop(source.path, source.live().status.run)
        return "Asked: the run ends after what is in flight." if asked else "The run has ended already."


def _figures(found: Effects) -> list[html.Figure]:
    shown = []
    if not found.overall.empty:
        shown.append(_plot("forest", "Persona effect Δ so far, with 95 % intervals", forest(found.overall)))
    if not found.history.empty:
        shown.append(_plot("narrowing", "How Δ and its interval narrow as answers land", narrowing(found.history)))
    return shown


def effects_of(source: Source) -> Effects | None:
    """Δ as last computed."""
    version = version_of(source.path)
    found: Effects | None = source.effects.latest(version, is_last=bool(version[-1]))
    return found if found is None or found.version == version or not version[-1] else None


def account(live: Live, found: Effects | None, error: str = "") -> list[Any]:
    """The run in figures and words; `error` says why Δ could not be computed."""
    if not live.status.run:
        return [html.P("No run yet: this page shows the first one as soon as it starts.")]
    missing = incomplete(live, found)
    why = html.P(f"Δ is not computed: {visible(error)}", role="alert") if error else None
    parts = (missing, *_finding(found), _summary(live), _benchmarks(live, found), why, _models(live), _failures(live))
    return [each for each in parts if each is not None]


def _finding(found: Effects | None) -> list[html.P]:
    """What an ended run found, in sentences, and on how many answers."""
    if found is None or not found.finding:
        return []
    told = [html.P(visible(paragraph), className="finding") for paragraph in found.finding]
    return [*told, html.P(f"Computed on all {found.answers:,} answers of the run.", className="small")]


def incomplete(live: Live, found: Effects | None) -> html.P | None:
    """What is missing of a run that is not whole, and that people were made up: the page's first line."""
    missing = live.incomplete if live.incomplete is not None else found.incomplete if found else ""
    sentence = " ".join(filter(None, (missing, found.synthetic if found else "")))
    return html.P(visible(sentence), className="incomplete") if sentence else None


def _summary(live: Live) -> html.Div:
    rows = live.status.rows
    planned = sum(row.planned - row.spared for row in rows)
    done = sum(row.hits + row.answered + row.failed for row in rows)
    share = f" ({100 * done / planned:.1f} %)" if planned else ""
    return html.Div(
        [
            html.P([html.Strong(_state(live)), f" · run {live.status.run}, started {moment(live.status.started)}"]),
            bar(done, planned, "Trials done"),
            html.P(f"{done:,} of {planned:,} trials{share}", className="big"),
            html.P(" · ".join(_pace(live))),
        ],
        className="summary",
    )


def _state(live: Live) -> str:
    if live.status.ended:
        return f"Ended {moment(live.status.ended)}"
    if live.silent is not None:
        return f"Not heard of for {duration(live.silent / 60)}: it was killed, or its machine sleeps"
    return "Stopping after what is in flight" if live.stopping else "Running"


def _pace(live: Live) -> list[str]:
    """Rate, time left, requests and money."""
    beat = live.status.beat
    said = [f"{live.rate:,.1f} trials/s"] if live.rate else []
    said += [f"about {duration(live.minutes_left)} left"] if live.minutes_left and live.is_going else []
    said.append(f"{beat.get('sent', 0):,} requests sent, {beat.get('in_flight', 0):,} in flight")
    spent = max(live.status.settled_micro_usd, beat.get("micro_usd", 0))
    cap = live.caps.get("")
    if spent or cap:
        held = live.status.reserved_micro_usd
        said.append(_money(spent, cap) + (f", ${held / 1e6:,.4f} reserved" if held else ""))
    return said


def _money(micro: int, cap: float | None) -> str:
    return f"${micro / 1e6:,.4f}" + (f" of ${cap:,.2f} spent ({micro / cap / 1e4:.1f} %)" if cap else " spent")


def duration(minutes: float) -> str:
    """A time in words: seconds under two minutes, then minutes, then hours."""
    if minutes < 2:
        return f"{60 * minutes:.0f} s"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _benchmarks(live: Live, found: Effects | None) -> Any:
    rows = [
        (
            line(row.model, 60),
            line(title_of(row.benchmark), 60),
            bar(row.hits + row.answered + row.failed, row.planned - row.spared, f"{row.model} on {row.benchmark}"),
            f"{row.hits + row.answered:,} of {row.planned - row.spared:,}",
            f"{row.hits:,}",
            f"{row.failed:,}",
            f"{row.unparsed:,}",
            *_delta(row.model, row.benchmark, row.effect, found),
        )
        for row in live.status.rows
    ]
    counts = ("answered", "of them before", "failed", "unparsed", "Δ so far", "95 % interval, items too")
    columns = ("model", "benchmark", "progress", *counts)
    return table("Progress, and what it finds", columns, rows, counts) if rows else None


def _delta(model: str, benchmark: str, plain: float | None, found: Effects | None) -> tuple[str, str]:
    """Δ and its interval as last computed; before that the plain difference, which the run keeps itself."""
    if found is not None and not found.overall.empty:
        overall = found.overall
        for row in overall[(overall["model"] == model) & (overall["benchmark"] == benchmark)].iloc[-1:].itertuples():
            if row.effect == row.effect:
                name = f"{row.effect:+.3f} ({row.metric})"
                return name, f"{number(row.items_low, '+.3f')} … {number(row.items_high, '+.3f')}"
    return ("–" if plain is None else f"{plain:+.3f}"), "–" if plain is None else "not yet computed"


def _models(live: Live) -> Any:
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
                _money(spent, cap) if spent or cap else "–",
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


def _failures(live: Live) -> Any:
    rows = [
        (line(each.model, 60), visible(each.kind), f"{each.count:,}", visible(each.message), moment(each.at))
        for each in live.failures
    ]
    columns = ("model", "kind", "count", "last message", "at")
    return table("Failures", columns, rows, ("count", "at")) if rows else None
