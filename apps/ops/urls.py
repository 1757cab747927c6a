"""Addresses of this app."""

from django.urls import path

from apps.ops import demo_views, views

app_name = "ops"

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics_page, name="metrics"),
    path("status/worker/", views.worker_banner, name="worker_banner"),
    path("demo/", demo_views.load_demo, name="load_demo"),
]
