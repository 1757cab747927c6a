"""Running it: up, worker, health, readiness and the other commands."""
