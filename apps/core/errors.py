"""The error tree of the services. Each message is a sentence for the user that says what to do next.

HTTP codes are chosen at the door (`apps.core.http` for pages and JSON); services know none.
"""


class HundredfoldError(Exception):
    """Base of every error a service raises on purpose."""

    code = "error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(HundredfoldError):
    """What was sent cannot be used; the message says how to mend it."""

    code = "invalid_input"


class NotSignedIn(HundredfoldError):
    """No valid key or session came with the request."""

    code = "not_signed_in"


class NotFound(HundredfoldError):
    """The object does not exist, or not for this person: both read the same."""

    code = "not_found"


class NotAllowed(HundredfoldError):
    """The person is a member, but the role does not include this action."""

    code = "not_allowed"


class Conflict(HundredfoldError):
    """Another state stands in the way: a name taken, a link used, a last owner."""

    code = "conflict"


class OtherRequest(HundredfoldError):
    """The words that name a request came with another one before."""

    code = "other_request"


class TooLarge(HundredfoldError):
    """Over a byte, pixel or row cap; the message names the cap."""

    code = "too_large"


class Unavailable(HundredfoldError):
    """A process this needs (broker, worker, model) is not there now; trying again later can help."""

    code = "unavailable"


class QuotaReached(HundredfoldError):
    """The workspace has used up what it may have; the message names the quota and who can raise it."""

    code = "quota_reached"


class Throttled(HundredfoldError):
    """Too many requests in too short a time; `retry_after_s` says when to come back."""

    code = "throttled"

    def __init__(self, message: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
