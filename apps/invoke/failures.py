"""Why calls were not answered, in the words of the pages; programs read the codes."""

WHY: dict[str, str] = {
    "conflict": "something stood in its way",
    "error": "something went wrong here; the log of the server says what",
    "internal_error": "something went wrong here; the log of the server says what",
    "invalid_input": "what was sent could not be used",
    "no_model": "there was no model yet",
    "not_allowed": "its key may not do this",
    "not_found": "there is no such model or sample",
    "not_signed_in": "its key was not valid any more",
    "other_request": "its Idempotency-Key had come with another call before",
    "quota_reached": "the calls of that day were used up",
    "still_at_work": "the same call was still being answered",
    "throttled": "too many calls came at once",
    "too_large": "more was sent than a call may hold",
    "too_slow": "what was sent did not arrive in time",
    "unavailable": "the server had too much to do, or was stopping",
    "unsupported_media_type": "what was sent is neither JSON nor a form",
}


def why_not_answered(code: str) -> str:
    return WHY.get(code, code)
