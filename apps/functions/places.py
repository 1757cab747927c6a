"""Which pages a function has: one that searches has nothing to label, to learn or to review.

Places are named as the URL map names them, `app:view`; those of higher floors too, as jobs are.
"""

from __future__ import annotations

from apps.core.errors import Conflict

HOME = "review:function_home"
_APPS = {"labeling", "review", "training"}
_VIEWS = {
    "functions:add_label",
    "functions:instructions_page",
    "functions:preview_instructions",
    "functions:teamwork_page",
    "invoke:begin_predict_drop",
    "invoke:predict_page",
    "invoke:try_it",
    "invoke:upload_to_predict",
}


class OnlySearches(Conflict):
    """The function finds samples; what was asked for belongs to one that gives labels."""

    code = "only_searches"

    def __init__(self, function_id: str = "", *, place: str = "") -> None:
        super().__init__("This function finds samples. It has no labels, so there is nothing to label or to learn.")
        self.function_id = function_id
        self.is_home = place == HOME


def is_of_labels(place: str) -> bool:
    """Whether a page is of use only to functions that give labels or tags."""
    return place.partition(":")[0] in _APPS or place in _VIEWS
