"""Serves the page on loopback until interrupted."""

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from markupsafe import escape
from waitress.server import create_server

from personas.errors import MachineError
from runner.view.app import application
from runner.view.queries.file import checked, is_blank
from runner.view.source import ViewSource

ADDRESS = "127.0.0.1"
THREADS = 8
LARGEST_REQUEST = 1_000_000
MOST_CONNECTIONS = 400
SILENT_SECONDS = 15  # after which a connection that has not sent a whole request is closed


class View:
    """The page over one file, at an address that only this process knows; `plain`: under the machine's own address.

    The file of a study may be still to be made: the page waits for its first run. Raises InputError where the file
    cannot be shown, MachineError where the port is taken.
    """

    def __init__(self, path: Path, study: Path | None = None, port: int = 0, plain: bool = False) -> None:
        self.source = ViewSource(path if study is not None and is_blank(path) else checked(path), study)
        token = secrets.token_urlsafe(32)
        listening = _listening(port)
        number = listening.getsockname()[1]
        host = ADDRESS if plain else f"mtpa-{secrets.token_hex(8)}.localhost"  # which browsers know to be this machine
        self.address = f"http://{host}:{number}/?token={token}"
        app = application(self.source, token, host, number)
        self._server: Any = create_server(
            app.server,
            sockets=[listening],
            threads=THREADS,
            ident=None,
            max_request_body_size=LARGEST_REQUEST,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=SILENT_SECONDS,
            cleanup_interval=SILENT_SECONDS // 3,
        )

    def serve(self) -> None:
        """Until interrupted."""
        with closing(self.source):
            self.source.watch()
            self._server.run()


@contextmanager
def opener(address: str) -> Iterator[str]:
    """The address of a file for this user alone that leads to the page: on a command line all could read the token."""
    handle, name = tempfile.mkstemp(prefix="mtpa-view-", suffix=".html")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(
                f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(address)}"><title>mtpa</title>'
            )
        yield Path(name).as_uri()
    finally:
        Path(name).unlink(missing_ok=True)


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
    except OSError as error:
        listening.close()
        raise MachineError(f"port {port} cannot be used ({error.strerror}); name another with --port") from None
    return listening
