"""Where live events travel: one Redis channel per workspace."""

PATTERN = "hundredfold:live:*"
_PREFIX = PATTERN.removesuffix("*")


def channel_of(workspace: str) -> str:
    return _PREFIX + workspace


def workspace_of(channel: str) -> str:
    return channel.removeprefix(_PREFIX)
