"""Addresses of the API, as they are once `ApiPaths` has taken the mount and a last slash off. Calls of functions do not
come through here: see `apps.invoke.asgi`.
"""

from django.urls import path

from apps.api.description.views import docs, schema
from apps.api.views.token import TokenView

app_name = "api"

urlpatterns = [
    path("api/docs/", docs, name="docs"),
    path("api/schema/", schema, name="schema"),
    path("connect/token", TokenView.as_view(), name="token"),
]
