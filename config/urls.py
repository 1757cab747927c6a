"""The URL map: each app brings its own, public ids only."""

from django.urls import include, path

urlpatterns = [
    path("", include("apps.functions.urls")),
    path("", include("apps.accounts.urls")),
    path("", include("apps.workspaces.urls")),
    path("", include("apps.samples.urls")),
    path("", include("apps.training.urls")),
    path("", include("apps.labeling.urls")),
    path("", include("apps.review.urls")),
    path("", include("apps.invoke.urls")),
    path("", include("apps.ops.urls")),
    path("", include("apps.api.urls")),
]

handler400 = "apps.api.errors.bad_request"
handler404 = "apps.api.errors.not_found"
handler500 = "apps.api.errors.server_error"
