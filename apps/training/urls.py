"""Addresses of this app."""

from django.urls import path

from apps.training.views import rules

app_name = "training"

urlpatterns = [
    path("functions/<str:function_id>/rules/", rules.rules_page, name="rules_page"),
    path("functions/<str:function_id>/rules/new/", rules.add_rule, name="add_rule"),
    path("rules/<str:rule_id>/", rules.rule_page, name="rule_page"),
    path("rules/<str:rule_id>/delete/", rules.delete_rule, name="delete_rule"),
]
