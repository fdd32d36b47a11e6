"""The report: the page of `mtpa-run report --html`, in a frame of its own."""

from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from personas.errors import MtpaError
from runner.view.background import result
from runner.view.pages.text import visible
from runner.view.source import ViewSource


def render(source: ViewSource, search: str) -> list[Any]:
    """The page: the report is made in the background, and shown when it is there."""
    return [
        html.H1("Report"),
        html.P(
            [
                html.Span("Making the report…", id="report-state", role="status"),
                html.Button("Make it again", id="report-again", hidden=True),
            ],
            className="actions",
        ),
        html.Div(id="report-shown"),
        dcc.Store(id="report-made", data=0),
        dcc.Interval(id="report-beat", interval=1000),
    ]


def register(app: Dash, source: ViewSource) -> None:
    """Show the report when it is made, and offer another one when the file has changed since."""

    @app.callback(
        Output("report-state", "children"),
        Output("report-again", "hidden"),
        Output("report-shown", "children"),
        Output("report-made", "data"),
        Input("report-beat", "n_intervals"),
        Input("report-again", "n_clicks"),
        State("report-made", "data"),
    )
    def show(_: int, again: int | None, made: int) -> Any:
        report = source.report(ctx.triggered_id == "report-again")
        if not report.future.done():
            return "Making the report…", True, no_update, no_update
        said = "More has landed since it was made. " if report.is_stale else ""
        if report.number == made:
            return said, not report.is_stale, no_update, no_update
        try:
            result(report.future)
        except MtpaError as error:
            return said, not report.is_stale, html.P(visible(str(error)), role="alert"), report.number
        address = f"/report.html?number={report.number}"
        frame = html.Iframe(src=address, title="The report", className="report")
        save = html.A("Save it as one file", href=f"{address}&save=1")
        return said, not report.is_stale, [html.P(save), frame], report.number
