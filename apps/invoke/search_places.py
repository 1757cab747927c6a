"""What answers where a page of labels is asked for of a function that searches: the way to its search page."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.functions.places import OnlySearches


class SearchPlaces:
    """Lead people who ask for such a page to the search; what scripts asked for is refused in words."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        is_page = request.method == "GET" and not request.headers.get("HX-Request")
        if not isinstance(exception, OnlySearches) or not is_page:
            return None
        if not exception.is_home:
            messages.info(request, exception.message)
        return redirect("invoke:search_page", exception.function_id)
