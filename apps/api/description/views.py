"""The description of the API: for programs, and for people."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.api.description import page
from apps.api.description.schema import document
from apps.workspaces import webhook_words
from apps.workspaces.access import public


@require_GET
@public
def schema(request: HttpRequest) -> HttpResponse:
    return JsonResponse(document(), json_dumps_params={"ensure_ascii": False})


@require_GET
@public
def docs(request: HttpRequest) -> HttpResponse:
    base_url = request.build_absolute_uri("/").rstrip("/")
    context = {
        "topics": page.topics(base_url),
        "begin": page.beginning(base_url),
        "messages_told": page.messages(),
        "python": webhook_words.PYTHON,
        "javascript": webhook_words.JAVASCRIPT,
        "base_url": base_url,
    }
    return render(request, "api/docs_page.html", context)
