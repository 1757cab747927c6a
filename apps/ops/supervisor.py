"""`up`: everything one box needs, from one process that starts it, watches it and ends it.

Order: own the data directory, take the port, bring the database and the static files up to date, start Redis, then
web and worker; say so once all three answer; from then on restart what dies until asked to stop.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError
from django.urls import reverse

from apps.accounts.models import LinkPurpose
from apps.accounts.services import create_link, has_owner
from apps.ops import data_lock, health, listening, redis_server
from apps.ops.children import Child
from apps.ops.data_lock import DataLock
from apps.ops.signals import Signals

GRACE_SECONDS = 6.0  # for web and worker; Redis follows, and all of it stays under ten
REDIS_GRACE_SECONDS = 2.0
REDIS_START_SECONDS = 10.0
N_TRIES_BEFORE_READY = 4
MANAGE = str(Path(settings.ROOT_DIR) / "manage.py")


class CannotStart(Exception):
    """`up` cannot come up; the message is for the operator."""


@dataclass(frozen=True)
class UpOptions:
    host: str
    port: int
    has_worker: bool = True
    has_demo: bool = False


def run_up(options: UpOptions) -> None:
    """Run until SIGINT or SIGTERM. Raises CannotStart."""
    os.umask(0o077)  # what is kept here is for nobody else on this machine
    signals = Signals()
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(data_lock.own(settings.DATA_DIR))
            listener = stack.enter_context(listening.listen(options.host, options.port))
            url = listening.url_of(listener, options.host)
            lock.tell(address=url)
            private = _choose_redis(stack)
            supervisor = Supervisor(signals, lock, options, url, listener.fileno(), private)
            bring_up_to_date()
            supervisor.run()
        except data_lock.DataHeld as error:
            raise CannotStart(
                f"{settings.DATA_DIR} belongs to another `up` ({error.holder}). "
                "Stop that one first, or give this one a directory of its own with --data-dir."
            ) from error
        except (listening.CannotListen, redis_server.NoRedisServer) as error:
            raise CannotStart(str(error)) from error
        except DatabaseError as error:
            raise CannotStart(f"The database does not answer as it should: {str(error).strip()}") from error


def _choose_redis(stack: ExitStack) -> redis_server.PrivateRedis | None:
    """Return a place for a private Redis, or None when the operator named one."""
    if not settings.IS_REDIS_GIVEN:
        return stack.enter_context(redis_server.place(settings.DATA_DIR))
    if settings.IS_ALONE:
        raise CannotStart("`up` needs a broker: leave HUNDREDFOLD_REDIS_URL unset, or give the address of a Redis.")
    return None


def bring_up_to_date() -> None:
    """Migrate the database and collect the static files. Neither sends a message, so no broker is needed yet."""
    call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)
    call_command("collectstatic", interactive=False, verbosity=0, stdout=sys.stderr)


def sign_in_url(url: str) -> str:
    """Return the way in: a one-time set-up link while nobody owns this installation, else the sign-in page."""
    base = settings.BASE_URL or url
    if has_owner():
        return base + reverse("account_login")
    return base + reverse("workspaces:set_up", args=[create_link(purpose=LinkPurpose.SET_UP)])


class Supervisor:
    """The children and the loop that watches them."""

    def __init__(
        self,
        signals: Signals,
        lock: DataLock,
        options: UpOptions,
        url: str,
        descriptor: int,
        private_redis: redis_server.PrivateRedis | None,
    ) -> None:
        self.signals, self.lock, self.options, self.url = signals, lock, options, url
        self.private_redis = private_redis
        self.redis_url = private_redis.url if private_redis else settings.REDIS_URL
        environment = self._environment()
        self.redis = Child("redis", private_redis.command, environment) if private_redis else None
        web = [sys.executable, MANAGE, "web", "--descriptor", str(descriptor)]
        self.children = [Child("web", web, environment, descriptors=[descriptor])]
        if options.has_worker:
            self.children.append(Child("worker", [sys.executable, MANAGE, "worker"], environment))

    def _environment(self) -> dict[str, str]:
        """Return the children's environment: the same settings, resolved once."""
        values = {"HUNDREDFOLD_DATA_DIR": str(settings.DATA_DIR), "HUNDREDFOLD_REDIS_URL": self.redis_url}
        if not settings.ARE_HOSTS_GIVEN:
            values["HUNDREDFOLD_ALLOWED_HOSTS"] = ",".join(listening.host_names(self.options.host))
        # Dramatiq reads this on import: how long a consumer waits before it looks for a broker that went away.
        return {"dramatiq_restart_delay": "300", **os.environ, **values}

    @property
    def everyone(self) -> list[Child]:
        return ([self.redis] if self.redis else []) + self.children

    def run(self) -> None:
        try:
            self._start()
            self._watch()
        finally:
            self._end()

    def _start(self) -> None:
        if self.redis:
            self.redis.start()
        if not redis_server.wait_for(self.redis_url, seconds=REDIS_START_SECONDS):
            reason = f" Its log is {self.private_redis.log_path}." if self.private_redis else ""
            raise CannotStart(f"No Redis answers at {redis_server.without_password(self.redis_url)}.{reason}")
        if self.options.has_demo:
            self._load_demo()
        for child in self.children:
            child.start()
        self._tell()

    def _load_demo(self) -> None:
        """In a process of its own, which meets the same broker as the web process will."""
        demo = Child("demo", [sys.executable, MANAGE, "demo"], self.children[0].environment)
        demo.start()
        while demo.is_running and not self.signals.must_stop:
            self.signals.wait(0.1)
        demo.end_by(time.monotonic())

    def _watch(self) -> None:
        is_announced = False
        while not self.signals.must_stop:
            changes = [child.keep_alive() for child in self.everyone]
            if any(changes):
                self._tell()
            if not is_announced:
                is_announced = self._announce_if_ready()
            self.signals.wait(self._pause(is_announced=is_announced))

    def _pause(self, *, is_announced: bool) -> float:
        due = [child.due_at - time.monotonic() for child in self.everyone if child.due_at is not None]
        return max(0.0, min([*due, 60.0 if is_announced else 0.1]))

    def _announce_if_ready(self) -> bool:
        worst = max(self.everyone, key=lambda child: child.n_quick_deaths)
        if worst.n_quick_deaths >= N_TRIES_BEFORE_READY:
            raise CannotStart(f"The {worst.name} process ends as soon as it starts; its reason is in the log above.")
        missing = health.ask(self.url)
        # What this box leaves to others need not be there for it to be ready.
        others = {health.QUEUES} | ({health.WORKER} if not self.options.has_worker else set())
        if missing is None or missing.keys() - others:
            return False
        sys.stdout.write(f"ready: {self.url}\nsign in: {sign_in_url(self.url)}\n")
        sys.stdout.flush()
        return True

    def _tell(self) -> None:
        self.lock.tell(address=self.url, children={child.name: child.pid for child in self.everyone})

    def _end(self) -> None:
        deadline = time.monotonic() + GRACE_SECONDS
        for child in self.children:
            child.ask_to_end()
        for child in self.children:
            child.end_by(deadline)
        if self.redis:
            self.redis.ask_to_end()
            self.redis.end_by(time.monotonic() + REDIS_GRACE_SECONDS)
