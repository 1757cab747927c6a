"""Calls as the document tells of them. They are answered before Django by `apps.invoke.asgi`, so these views stand in
no URL map but the document's own.
"""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
