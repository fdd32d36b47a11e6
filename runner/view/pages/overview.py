"""The first page: what a run found, how sure that is, on how much; while it goes, what it does (`live`)."""

from typing import Any

import pandas as pd
from dash import Dash, Input, Output, State, dcc, html, no_update

from runner.progress.status import StatusRow
from runner.view.pages import live as going
from runner.view.pages.narrowing import narrowing
from runner.view.pages.parts import bar, moment, money, plot, table, table_of_models
from runner.view.pages.text import line, visible
from runner.view.queries.file import request_stop
from runner.view.queries.heartbeat import Live
from runner.view.source import ViewSource
from runner.view.statistics import Effects
from scoring.report.figures import forest
from scoring.report.findings import title_of
from scoring.report.html_tables import gap_rows
from scoring.report.numbers import in_points, points_interval, score
from scoring.report.sentences import BRIEF, SIGNIFICANT, Finding, headline

BEAT, SLOWLY, SOON = 2000, 5000, 500  # milliseconds: while a run goes, otherwise, and where the finding is on its way


def render(source: ViewSource, search: str) -> list[Any]:
    """The page as it is now; from then on it is refreshed."""
    live = source.live()
    return [
        html.H1("Overview"),
        html.Div(account(live, source.effects(), source.trouble), id="account"),
        html.Section([html.H2("Live"), html.Div(going.table_of(live), id="live"), _stop()], id="now", hidden=True),
        html.Div(id="figures"),
        html.Div(tables(live, source.effects()), id="tables"),
        dcc.Store(id="drawn", data=None),
        dcc.Interval(id="beat", interval=SOON),
    ]


def _stop() -> html.Div:
    question = (
        "Stop this run after what is in flight? What was answered is kept; mtpa-run, started again, goes on from there."
    )
    button = html.Button("Stop the run after what is in flight", id="stop")
    asked = [html.Span(id="stopped", role="status"), dcc.ConfirmDialog(id="stop-sure", message=question)]
    return html.Div([button, *asked], className="actions")


def register(app: Dash, source: ViewSource) -> None:
    """What keeps the page up to date, and the one button."""

    @app.callback(
        Output("account", "children"),
        Output("live", "children"),
        Output("now", "hidden"),
        Output("stop", "disabled"),
        Output("figures", "children"),
        Output("tables", "children"),
        Output("drawn", "data"),
        Output("beat", "interval"),
        Input("beat", "n_intervals"),
        State("drawn", "data"),
    )
    def refresh(_: int, drawn: list[Any] | None) -> Any:
        live, found = source.live(), source.effects()
        version = drawn if found is None else list(found.version)
        figures = no_update if found is None or version == drawn else _figures(found)
        pace = BEAT if live.is_going else SOON if found is None and not source.trouble else SLOWLY
        said = account(live, found, source.trouble), going.table_of(live)
        return *said, not live.is_going, live.stopping, figures, tables(live, found), version, pace

    # Asked by the browser itself, so that the question comes at once however busy this process is.
    sure = Output("stop-sure", "displayed")
    app.clientside_callback("() => true", sure, Input("stop", "n_clicks"), prevent_initial_call=True)  # type: ignore[no-untyped-call]

    @app.callback(Output("stopped", "children"), Input("stop-sure", "submit_n_clicks"), prevent_initial_call=True)
    def stop(_: int) -> str:
        asked = request_stop(source.path, source.live().status.run)
        return "Asked: the run ends after what is in flight." if asked else "The run has ended already."


def _figures(found: Effects) -> list[Any]:
    shown: list[Any] = []
    if not found.overall.empty and found.overall["effect"].notna().any():
        when = "" if found.is_final else " so far"
        title = f"Persona effect Δ{when} with 95% intervals, on {found.answers:,} answers"
        shown.append(plot("forest", title, forest(found.overall[found.overall["effect"].notna()])))
    if len(found.gaps):
        shown.append(_gaps(found.gaps))
    if not found.history.empty:
        shown.append(plot("narrowing", "How Δ and its interval narrow as answers land", narrowing(found.history)))
    return shown


def _gaps(gaps: pd.DataFrame) -> Any:
    """Who differs most from everybody else, and whether that holds."""
    rows = [[visible(text) for text in row] for row in gap_rows(gaps, SIGNIFICANT)]
    numbers = ("gap", "95% interval", "p after Holm")
    columns = ("model", "benchmark", "Δ of (people) − everybody else's", *numbers, "holds")
    return table_of_models("The largest gaps, in percentage points", columns, rows, numbers)


def account(live: Live, found: Effects | None, error: str = "") -> list[Any]:
    """The finding, how whole the run is, what it cost; `error` says why Δ could not be computed."""
    if not live.status.run:
        return [html.P("No run yet: this page shows the first one as soon as it starts.")]
    missing = incomplete(live, found)
    why = html.P(f"Δ is not computed: {visible(error)}", role="alert") if error else None
    parts = (missing, why, *_finding(live, found, error), _summary(live))
    return [each for each in parts if each is not None]


def tables(live: Live, found: Effects | None) -> list[Any]:
    """How far each benchmark is and what it finds; what failed."""
    return [each for each in (_benchmarks(live, found), _failures(live)) if each is not None]


def _finding(live: Live, found: Effects | None, error: str) -> list[Any]:
    """What an ended run found, in sentences, and on how many answers."""
    if not live.status.ended or error:
        return []
    if found is None:
        return [html.P("Computing what the run found…", role="status")]
    if found.untold:
        return [html.P(f"The finding is not written: {visible(found.untold)}", role="alert")]
    told = [_paragraph(each, len(found.finding) <= BRIEF) for each in found.finding]
    return [*told, html.P(f"Computed on all {found.answers:,} answers of the run.", className="note")]


def _paragraph(finding: Finding, is_open: bool) -> Any:
    """A finding; where there are many, what qualifies each is folded."""
    effect, rest = html.Strong(visible(finding.effect)), visible(" ".join(finding.rest))
    if is_open or not rest:
        return html.P([effect, " ", rest], className="finding")
    return html.Details([html.Summary(effect), html.P(rest)], className="finding")


def incomplete(live: Live, found: Effects | None) -> html.P | None:
    """What is missing of a run that is not whole, and that people were made up: the page's first line."""
    missing = live.incomplete if live.incomplete is not None else found.incomplete if found else ""
    sentence = " ".join(filter(None, (missing, found.synthetic if found else "")))
    return html.P(visible(sentence), className="incomplete") if sentence else None


def _summary(live: Live) -> html.Div:
    rows = live.status.rows
    planned = sum(row.planned - row.spared for row in rows)
    done = sum(row.hits + row.answered + row.failed for row in rows)
    failed = sum(row.failed for row in rows)
    share = f" ({100 * done / planned:.1f}%)" if planned else ""
    counts = f"{done:,} of {planned:,} trials{share}{f', {failed:,} of them failed' if failed else ''}"
    said = [html.P([html.Strong(_state(live)), f" · run {live.status.run}, started {moment(live.status.started)}"])]
    said += [] if live.status.ended else [bar(done, planned, "Trials done")]
    said += [html.P(counts, className="big"), html.P(" · ".join([*going.pace(live), *_money(live)]))]
    return html.Div(said, className="summary")


def _state(live: Live) -> str:
    if live.status.ended:
        return f"Ended {moment(live.status.ended)}"
    if live.silent is not None:
        return f"Not heard of for {going.duration(live.silent / 60)}: it was killed, or its machine sleeps"
    return "Stopping after what is in flight" if live.stopping else "Running"


def _money(live: Live) -> list[str]:
    spent = max(live.status.settled_micro_usd, live.status.beat.get("micro_usd", 0))
    cap, held = live.caps.get(""), live.status.reserved_micro_usd
    if not spent and not cap:
        return ["nothing spent"]
    return [money(spent, cap) + (f", ${held / 1e6:,.4f} reserved" if held > 0 else "")]


def _benchmarks(live: Live, found: Effects | None) -> Any:
    rows = [
        (
            line(row.model, 60),
            line(title_of(row.benchmark), 60),
            *_progress(live, row),
            f"{row.hits + row.answered:,} of {row.planned - row.spared:,}",
            f"{row.failed:,}",
            f"{row.unparsed:,}",
            *_delta(row.model, row.benchmark, row.effect, found),
        )
        for row in live.status.rows
    ]
    counts = ("answered", "failed", "unparsed", "without", "with", "Δ, points", "95% interval", "people × items")
    columns = ("model", "benchmark", *(() if live.status.ended else ("progress",)), *counts)
    how = "for people and items like these"
    on = f", computed on {found.answers:,} answers; intervals are {how}" if found else ""
    return table_of_models(f"Benchmark by benchmark{on}", columns, rows, counts) if rows else None


def _progress(live: Live, row: StatusRow) -> list[Any]:
    if live.status.ended:
        return []
    done, planned = row.hits + row.answered + row.failed, row.planned - row.spared
    return [bar(done, planned, f"{row.model} on {row.benchmark}")]


def _delta(model: str, benchmark: str, plain: float | None, found: Effects | None) -> tuple[str, ...]:
    """Δ and its interval as last computed; before that the run's own plain difference, without weights."""
    if found is not None and not found.overall.empty:
        overall = headline(found.overall)
        here = overall[(overall["model"] == model) & (overall["benchmark"] == benchmark)]
        for row in here[here["effect"].notna()].itertuples():
            bounds = points_interval(row.items_low, row.items_high)
            scores = score(row.without), score(row.with_persona)
            return *scores, in_points(row.effect), bounds, f"{row.personas:,.0f} × {row.items:,.0f}"
    return "–", "–", "–" if plain is None else f"{in_points(plain)} (plain)", "not yet computed", "–"


def _failures(live: Live) -> Any:
    rows = [
        (line(each.model, 60), visible(each.kind), f"{each.count:,}", visible(each.message), moment(each.at))
        for each in live.failures
    ]
    columns = ("model", "kind", "count", "last message", "at")
    return table("Failures", columns, rows, ("count", "at")) if rows else None
