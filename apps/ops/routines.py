"""What a process does beside its work, again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable

import redis
import structlog
from django.db import DatabaseError, close_old_connections

logger = structlog.get_logger(__name__)


class Routine(threading.Thread):
    """Does one thing at once and again and again, whatever comes: without it a worker would look well and not be."""

    def __init__(self, name: str, seconds: float, step: Callable[[], object], must_end: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.seconds, self.step, self.must_end = seconds, step, must_end
        self.is_failing = False

    def run(self) -> None:
        while True:
            self._try_once()
            if self.must_end.wait(self.seconds):
                return

    def _try_once(self) -> None:
        try:
            self.step()
        except (redis.RedisError, DatabaseError) as error:
            if not self.is_failing:
                logger.warning("routine_failed", routine=self.name, error=str(error))
            self.is_failing = True
        except Exception:
            logger.exception("routine_broke", routine=self.name)
            self.is_failing = True
        else:
            self.is_failing = False
        finally:
            close_old_connections()
