"""Addresses of this app."""

from django.urls import path

from apps.review import views

app_name = "review"

urlpatterns = [
    path("functions/<str:function_id>/", views.function_home, name="function_home"),
    path("functions/<str:function_id>/figures/", views.figures, name="figures"),
    path("functions/<str:function_id>/teaser/", views.teaser, name="teaser"),
    path("functions/<str:function_id>/samples/", views.samples, name="samples"),
    path("functions/<str:function_id>/automation/", views.automation, name="automation"),
    path("functions/<str:function_id>/automation/target/", views.set_automation, name="set_automation"),
    path("labels/<str:label_id>/weight/", views.weigh_label, name="weigh_label"),
    path("samples/<str:sample_id>/fix/", views.fix_label, name="fix_label"),
]
