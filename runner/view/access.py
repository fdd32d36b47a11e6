"""Who may read the page: whoever has the token, from this machine's own address, from the page itself."""

import secrets
from urllib.parse import quote, urlencode, urlsplit

from flask import Flask, Response, request
from markupsafe import escape

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
POLICY = (
    "default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)
# The report's script is in the page: it runs in an origin of its own, from which nothing here can be read.
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'self'"
)


class Guard:
    """Checks every request of a server before anything else sees it, and sets the headers of every answer.

    The token comes once in the URL and then in a cookie: no other site can have it sent along (SameSite=Strict), and no
    script can read it (HttpOnly). A cookie is for a host, whatever the port: so the page has a host's name of its own,
    which only this run uses, and answers to no other. Where that is the machine's own address, other servers of this
    machine that the browser opens get the cookie too.
    """

    def __init__(self, server: Flask, token: str, host: str, port: int, scripts: str) -> None:
        self._token, self._host, self._cookie = token, host, f"mtpa_view_{port}"
        self._policy = POLICY.format(scripts=scripts)
        server.before_request(self._check)
        server.after_request(self._headed)

    def _check(self) -> Response | None:
        """None lets the request through."""
        if _hostname() != self._host:
            return _refused("This page answers to its own name only: open the address that mtpa-run view printed.")
        if request.headers.get("Origin", _origin()) != _origin():
            return _refused("This page answers to itself only.")
        if "token" in request.args:
            return self._welcome(request.args["token"])
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            return self._from_elsewhere()
        if not self._is(request.cookies.get(self._cookie, "")):
            return _refused("Open the address that mtpa-run view printed: its token lets you in.")
        return None

    def _is(self, token: str) -> bool:
        return secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def _welcome(self, token: str) -> Response:
        """Take the token over into the cookie, and go on without it in the address."""
        if not self._is(token):
            return _refused("That token is not this page's: open the address that mtpa-run view printed last.")
        response = _go_on()
        response.set_cookie(self._cookie, token, httponly=True, samesite="Strict", path="/")
        return response

    def _from_elsewhere(self) -> Response:
        """A link that was followed from another site comes without the cookie: the page follows it once more."""
        if request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "document":
            return _go_on()
        return _refused("This page answers to itself only.")

    def _headed(self, response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Content-Security-Policy", self._policy)
        if not request.path.startswith("/_dash-component-suites/"):
            response.headers["Cache-Control"] = "no-store"
        return response


def _hostname() -> str:
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def _origin() -> str:
    return f"http://{request.host}"


def _refused(sentence: str) -> Response:
    return Response(f"{sentence}\n", status=403, mimetype="text/plain")


def _go_on() -> Response:
    """A page that leads to the same address without the token."""
    kept = urlencode([(name, value) for name, value in request.args.items(multi=True) if name != "token"])
    target = escape(f"{_origin()}{quote(request.path)}" + (f"?{kept}" if kept else ""))
    head = f'<!doctype html><meta http-equiv="refresh" content="0;url={target}"><title>mtpa</title>'
    return Response(f'{head}<a href="{target}">Go on</a>', mimetype="text/html")
