"""Sign-in and sign-out, under the names that allauth looks for. Nothing else of allauth is mounted."""

from django.urls import path

from apps.accounts import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="account_login"),
    path("sign-out/", views.sign_out, name="account_logout"),
]
