"""Health for machines, and the banner that tells people when nobody works in the background."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.ops import health, metrics
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
    response = JsonResponse({"ready": not problems, "problems": problems}, status=503 if problems else 200)
    # "Not yet" is no error: Django would log one for each probe, and probes come every few seconds.
    setattr(response, "_has_been_logged", True)  # noqa: B010  # Django's own mark, which its types do not know
    return response


@require_GET
@never_cache
@public
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Tell a scraper that has the token; nobody else learns that there is anything."""
    if not metrics.is_token(request.headers.get("Authorization", "")):
        raise Http404
    return HttpResponse(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


@require_GET
@never_cache
@signed_in
def worker_banner(request: AppHttpRequest) -> HttpResponse:
    """Return the banner or its absence; 204, on which htmx swaps nothing, while the page shows the right one already.

    Swapping the same words in again every few seconds would have screen readers say them again each time.
    """
    idle = health.idle_queues()
    shown = ",".join(idle)
    if shown == request.GET.get("shown", ""):
        return HttpResponse(status=204)
    return render(request, "ops/_worker_banner.html", {"message": health.words_for(idle), "shown": shown})
