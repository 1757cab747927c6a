"""Addresses of the API, as they are once `ApiPaths` has taken the mount and a last slash off. Calls of functions do not
come through here: see `apps.invoke.asgi`.
"""

from django.urls import URLPattern

app_name = "api"

urlpatterns: list[URLPattern] = []
