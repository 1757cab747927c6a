"""The web process: uvicorn over `config.asgi`, on a socket of its own or one passed on by `up`."""

from __future__ import annotations

import socket
import sys
import threading
from types import FrameType

import uvicorn
from django.conf import settings

from apps.events.live import end_streams
from apps.ops.metrics import serve_inside
from apps.ops.prompt_heads import PromptHeads
from apps.ops.routines import Routine
from apps.training.services import files, forget_leftover_copies

KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers hold an idle connection, which is a minute mostly: else a call is sent into one that was
closed that moment, and fails."""
# Open event streams never end by themselves; without a limit one browser tab would hold a stop for ever.
GRACE_SECONDS = 2
# Models give up the interpreter at every operation, and an event loop with many callers keeps it for a whole interval
# each time, which by default is 5 ms: as long as the model takes for a text.
SWITCH_SECONDS = 0.0005
COPIES_SECONDS = 600.0
"""What was deleted leaves this machine's disk within so long; workers see to theirs when they sweep."""


class Server(uvicorn.Server):
    """uvicorn, which also tells the event streams that it is about to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        end_streams()
        super().handle_exit(sig, frame)


def serve(listener: socket.socket) -> None:
    """Answer requests until SIGINT or SIGTERM."""
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(
        "config.asgi:application",
        http=PromptHeads,
        lifespan="on",
        log_config=None,  # Django has configured logging for the whole process
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # Forwarded addresses count only where an operator put a proxy in front and said so: see `core.caller`.
        proxy_headers=settings.IS_HTTPS,
        forwarded_allow_ips=settings.PROXIES,
    )
    must_end = threading.Event()
    serve_inside()
    if files.are_apart():
        Routine("copies", COPIES_SECONDS, forget_leftover_copies, must_end).start()
    Server(config).run(sockets=[listener])
    must_end.set()
