"""JSON lines on stderr, one per event, through structlog; libraries' own records take the same shape."""

import logging
import re
import sys
from typing import TypedDict

import structlog

# The tokens of one-time links are part of their address, which a refused request writes down while they still work.
_SECRETS = re.compile(r"(/(?:welcome|invite|enter)/)[\w-]+|(hft?_[a-z0-9]{12}_)[\w-]+")


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
                hide_secrets,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings["level"])
    for noisy in ("httpx", "httpcore2", "urllib3", "filelock", "django.utils.autoreload", "uvicorn.access", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def hide_secrets(
    _logger: logging.Logger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Leave of link tokens and API keys only what is no secret; the last step before a line is written."""
    return {name: _SECRETS.sub(r"\1\2…", value) if isinstance(value, str) else value for name, value in event.items()}
