"""The one place where service errors become HTTP codes, for pages and JSON alike."""

from apps.core import errors

STATUS_OF_ERROR: dict[type[errors.HundredfoldError], int] = {
    errors.InvalidInput: 400,
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.QuotaReached: 402,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.OtherRequest: 422,
    errors.Throttled: 429,
    errors.Unavailable: 503,
}


def status_of(error: errors.HundredfoldError) -> int:
    """Return the HTTP code of a service error; subclasses inherit their parent's."""
    return next((STATUS_OF_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_OF_ERROR), 500)
