"""Addresses of this app."""

from django.urls import path

from apps.review import views

app_name = "review"

urlpatterns = [
    path("functions/<str:function_id>/", views.function_home, name="function_home"),
    path("functions/<str:function_id>/figures/", views.figures, name="figures"),
    path("functions/<str:function_id>/teaser/", views.teaser, name="teaser"),
    path("functions/<str:function_id>/samples/", views.samples, name="samples"),
    path("samples/<str:sample_id>/fix/", views.fix_label, name="fix_label"),
]
