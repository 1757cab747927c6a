"""Addresses of this app."""

from django.urls import URLPattern

app_name = "invoke"

urlpatterns: list[URLPattern] = []
