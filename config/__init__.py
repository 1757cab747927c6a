"""Settings from the environment, the URL map, the ASGI door and the broker."""
