"""Serves the BFF of this folder on a real server, with its world beside it, until its standard input is closed."""

import os
import sys
import threading

from narrows import Surroundings
from narrows.surfaces.http import Application
from narrows.surfaces.serving import make_server
from tests.bench.dining import Upstreams, make_authority, make_bff, make_settings, token


def main(port: int) -> None:
    """Print a token, then serve on loopback."""
    authority = make_authority()
    around = Surroundings(dial=lambda _: Upstreams(authority.app), write_record=lambda _: None)
    app = Application(make_bff(), make_settings(public_url=f"http://127.0.0.1:{port}"), around)
    server = make_server(app, port=port)

    def wait() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=wait, daemon=True).start()
    os.write(1, token(authority).encode() + b"\n")
    server.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
