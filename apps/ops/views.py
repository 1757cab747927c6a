"""Health for machines, and the banner that tells people when nobody works in the background."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.ops import health
from apps.workspaces.access import AppHttpRequest, public, signed_in


@require_GET
@public
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; it asks nobody else."""
    return HttpResponse("ok", content_type="text/plain")


@require_GET
@never_cache
@public
def readyz(request: HttpRequest) -> HttpResponse:
    problems = health.problems()
    return JsonResponse({"ready": not problems, "problems": problems}, status=503 if problems else 200)


@require_GET
@never_cache
@signed_in
def worker_banner(request: AppHttpRequest) -> HttpResponse:
    """Return the banner, or an empty fragment when all is well: htmx swaps nothing on a 204."""
    if not health.is_worker_away():
        return HttpResponse()
    return render(request, "ops/_worker_banner.html", {"message": health.WORKER_IS_AWAY})
