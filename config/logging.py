"""JSON lines on stderr, one per event, through structlog; libraries' own records take the same shape."""

import logging
import sys
from typing import TypedDict

import structlog


class LoggingSettings(TypedDict):
    level: str


def configure(settings: LoggingSettings) -> None:
    """Set up logging for this process; called by Django with the LOGGING setting."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings["level"])
    for noisy in ("httpx", "urllib3", "filelock", "django.utils.autoreload", "uvicorn.access", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
