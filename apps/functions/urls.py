"""Addresses of this app."""

from django.urls import URLPattern

app_name = "functions"

urlpatterns: list[URLPattern] = []
