"""The application: its pages by address, what can be downloaded, and the guard before it all."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from dash import Dash, Input, Output, State, dcc, html, no_update, set_props
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from personas.errors import MtpaError
from runner.view.access import REPORT_POLICY, Guard
from runner.view.background import result
from runner.view.pages import compare, explore, fidelity, items, overview, report, trial
from runner.view.pages.parts import named
from runner.view.pages.text import line, visible
from runner.view.queries.trial import answer_text
from runner.view.source import ViewSource


class Page(NamedTuple):
    """A page: what the navigation calls it, "" where it does not; what is in it; what keeps it up to date."""

    name: str
    render: Callable[[ViewSource, str], list[Any]]
    register: Callable[[Dash, ViewSource], None] = lambda app, source: None


FIDELITY = "/fidelity"  # which only a file with answers to a survey's questions has in its navigation
PAGES = {
    "/": Page("Overview", overview.render, overview.register),
    "/items": Page("Items", items.render, items.register),
    "/explore": Page("Trials", explore.render, explore.register),
    "/compare": Page("Compare", compare.render, compare.register),
    FIDELITY: Page("Fidelity", fidelity.render, fidelity.register),
    "/report": Page("Report", report.render, report.register),
    "/trial": Page("", trial.render, trial.register),
}
NUMBERS = (FIDELITY, "/items", "/explore", "/compare", "/trial")  # which do not say by themselves what is missing
_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
{%metas%}
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
<link rel="icon" href="data:,">
{%css%}
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>"""


def application(source: ViewSource, token: str, host: str, port: int) -> Dash:
    """The page over one file, for whoever has the token and names the host. `port` names the cookie."""
    app = Dash(
        "runner.view",
        assets_folder=str(Path(__file__).parent / "assets"),
        title=f"mtpa: {source.path.name}",
        update_title="",
        index_string=_DOCUMENT,
        serve_locally=True,
        suppress_callback_exceptions=True,
        enable_mcp=False,
        on_error=_tell,
    )
    app.layout = html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            html.A("Skip to the content", href="#main", className="skip"),
            html.Header([html.Span(line(source.path.name, 60), className="file"), named(html.Nav(id="nav"), "Pages")]),
            html.Div(id="problem", role="alert"),
            html.Main(id="main", tabIndex=-1),
            dcc.Store(id="begun", data=False),
        ]
    )
    _route(app, source)
    for page in PAGES.values():
        page.register(app, source)
    _download(app.server, source)
    Guard(app.server, token, host, port, " ".join(app.csp_hashes()))
    return app


def _route(app: Dash, source: ViewSource) -> None:
    @app.callback(
        Output("main", "children"),
        Output("nav", "children"),
        Output("problem", "children"),
        Input("url", "pathname"),
        Input("begun", "data"),
        State("url", "search"),
    )
    def show(path: str | None, _: bool, search: str | None) -> tuple[list[Any], list[Any], str]:
        path = path or "/"
        try:
            if not source.has_begun():
                return _waiting(source), [], ""
            content = PAGES[path].render(source, search or "") if path in PAGES else _absent(path)
            if path in NUMBERS and (missing := overview.incomplete(source.live(), source.effects())):
                content = [missing, *content]
            hidden = () if source.asks_survey() else (FIDELITY,)
        except Exception as error:  # a file from outside may hold anything
            return [html.H1("mtpa")], _links(path, (FIDELITY,)), _sentence(error)
        return content, _links(path, hidden), ""

    @app.callback(Output("begun", "data"), Input("begun-beat", "n_intervals"), prevent_initial_call=True)
    def begun(_: int) -> Any:
        return source.has_begun() or no_update


def _waiting(source: ViewSource) -> list[Any]:
    """The page before there is anything to look at."""
    start = f"mtpa-run --study {source.study}" if source.study else "mtpa-run"
    file, command = html.Code(line(str(source.path), 200)), html.Code(line(start, 200))
    said: list[Any] = ["No run has begun in ", file, " yet. Start it from another terminal with ", command]
    return [
        html.H1("Waiting for the run"),
        html.P([*said, ": this page shows it as soon as it begins."], role="status"),
        dcc.Interval(id="begun-beat", interval=1000),
    ]


def _tell(error: Exception) -> None:
    """Say above the page, which stays as it was, what went wrong."""
    set_props("problem", {"children": _sentence(error)})


def _sentence(error: Exception) -> str:
    return visible(str(error) if isinstance(error, MtpaError) else f"This cannot be shown: {error!r:.300}")


def _absent(path: str) -> list[Any]:
    return [html.H1("No such page"), html.P(["There is no page ", line(path, 80), "; the pages are above."])]


def _links(path: str, without: Collection[str]) -> list[Any]:
    current = "/explore" if path == "/trial" else path
    shown = [(address, page.name) for address, page in PAGES.items() if page.name and address not in without]
    return [_link(name, address, address == current) for address, name in shown]


def _link(name: str, address: str, is_current: bool) -> Any:
    if not is_current:
        return dcc.Link(name, href=address)
    here = html.A(name, href=address)
    setattr(here, "aria-current", "page")
    return here


def _download(server: Flask, source: ViewSource) -> None:
    """What is no page: whole answers as text, the report as a file."""

    @server.get("/answer/<int:number>.txt")
    def answer(number: int) -> Response:
        text = source.look(answer_text, number) if number < 2**63 else None
        if text is None:
            return Response("This file has no such answer.\n", status=404, mimetype="text/plain")
        headers = {"Content-Disposition": f"attachment; filename=answer-{number}.txt"}
        return Response(text.encode("utf-8", "replace"), mimetype="text/plain", headers=headers)

    @server.get("/fidelity/<name>.csv")
    def fidelity_file(name: str) -> Response:
        files = result(source.fidelity()).files
        if name not in files:
            return Response("This run has no such table.\n", status=404, mimetype="text/plain")
        stem = _plain_name(source.path.stem)
        headers = {"Content-Disposition": f"attachment; filename={stem}.fidelity_{name}.csv"}
        return Response(files[name].encode(), mimetype="text/csv", headers=headers)

    @server.get("/report.html")
    def report_file() -> Response:
        headers = {"Content-Security-Policy": REPORT_POLICY}
        if "save" in request.args:
            headers["Content-Disposition"] = f"attachment; filename={_plain_name(source.path.stem)}.html"
        return Response(result(source.report().future), mimetype="text/html", headers=headers)

    @server.errorhandler(Exception)
    def sentence(error: Exception) -> Response | HTTPException:  # a file from outside may hold anything
        if isinstance(error, HTTPException):
            return error
        return Response(f"{_sentence(error)}\n", status=503, mimetype="text/plain")


def _plain_name(name: str) -> str:
    """A file's name that needs no quoting."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
