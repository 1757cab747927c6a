"""What the engine raises on purpose."""


class EngineError(Exception):
    """Root of the errors below."""


class NotTrainable(EngineError):
    """Too few labelled samples. The text is a sentence that tells the user how many are missing."""


class DeadlineExpired(EngineError):
    """The time given was over before there was anything to hand back. Try again with more."""


class ArtifactCorrupt(EngineError):
    """A saved model is not, byte for byte, what was saved. Serve another one."""


class BackboneUnavailable(EngineError):
    """No such backbone, or its weights are missing or altered. The text says what to install."""


class DeviceUnavailable(BackboneUnavailable):
    """The device that was asked for is not there, and with it nothing that was to run on it."""


class PullRefused(EngineError):
    """A backbone cannot be brought to this machine. The text says why, and what would help."""
