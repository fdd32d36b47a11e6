"""The page's server: whose name it answers to, what a command line shows, and that silent connections starve nobody."""

import http.client
import socket
import stat
import threading
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from runner.store.database import open_database
from runner.view.server import View, opener


@pytest.fixture
def page(tmp_path: Path) -> View:
    open_database(tmp_path / "study.sqlite").close()
    view = View(tmp_path / "study.sqlite")
    threading.Thread(target=view.serve, daemon=True).start()
    return view


def _status(view: View, host: str) -> int:
    address = urlsplit(view.address)
    assert address.port
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
    connection.request("GET", f"/?{address.query}", headers={"Host": f"{host}:{address.port}"})
    return connection.getresponse().status


def test_each_run_has_a_name_of_its_own_so_that_no_other_port_gets_its_cookie(page: View) -> None:
    name = urlsplit(page.address).hostname
    assert name and name.endswith(".localhost") and name.count("-") == 1
    assert (_status(page, name), _status(page, "127.0.0.1"), _status(page, "localhost")) == (200, 403, 403)


def test_silent_connections_starve_nobody(page: View) -> None:
    address = urlsplit(page.address)
    with ExitStack() as stack:
        for _ in range(200):
            half_open = stack.enter_context(socket.create_connection(("127.0.0.1", address.port or 0)))
            half_open.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert _status(page, address.hostname or "") == 200


def test_the_token_is_on_no_command_line() -> None:
    with opener("http://mtpa-1.localhost:1/?token=secret") as address:
        path = Path(url2pathname(urlsplit(address).path))
        assert "secret" not in address and "token=secret" in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
