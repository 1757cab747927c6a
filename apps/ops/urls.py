"""Addresses of this app."""

from django.urls import URLPattern

app_name = "ops"

urlpatterns: list[URLPattern] = []
