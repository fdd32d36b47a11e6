"""Serves the page on loopback until interrupted."""

import secrets
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

from waitress.server import create_server

from personas.errors import MachineError
from runner.view.app import application
from runner.view.queries.file import checked
from runner.view.source import Source

ADDRESS = "127.0.0.1"
THREADS = 8
LARGEST_REQUEST = 1_000_000


class View:
    """The page over one file, at an address that only this process knows.

    Raises InputError where the file cannot be shown, MachineError where the port is taken.
    """

    def __init__(self, path: Path, study: Path | None = None, port: int = 0) -> None:
        self.source = Source(checked(path), study)
        token = secrets.token_urlsafe(32)
        listening = _listening(port)
        number = listening.getsockname()[1]
        self.address = f"http://{ADDRESS}:{number}/?token={token}"
        app = application(self.source, token, number)
        self._server: Any = create_server(
            app.server,
            sockets=[listening],
            threads=THREADS,
            ident=None,
            max_request_body_size=LARGEST_REQUEST,
        )

    def serve(self) -> None:
        """Until interrupted."""
        with closing(self.source):
            self._server.run()


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
    except OSError as error:
        listening.close()
        raise MachineError(f"port {port} cannot be used ({error.strerror}); name another with --port") from None
    return listening
