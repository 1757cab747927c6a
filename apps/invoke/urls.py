"""Addresses of this app. Calls themselves do not come through here: see `apps.invoke.asgi`."""

from django.urls import path

from apps.invoke import views

app_name = "invoke"

urlpatterns = [
    path("functions/<str:function_id>/call/", views.call_page, name="call_page"),
    path("functions/<str:function_id>/call/keys/", views.make_key, name="make_key"),
    path("functions/<str:function_id>/call/try/", views.try_it, name="try_it"),
]
