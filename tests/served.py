"""An ASGI application on a port of its own, beside the test that talks to it in bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def served(application: Any, **options: Any) -> Iterator[int]:
    """Return the port; `options` are those of `uvicorn.Config`."""
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_config=None, **options))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
