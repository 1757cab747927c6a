"""Addresses of this app."""

from django.urls import path

from apps.training.views import models, rules

app_name = "training"

urlpatterns = [
    path("functions/<str:function_id>/rules/", rules.rules_page, name="rules_page"),
    path("functions/<str:function_id>/rules/new/", rules.add_rule, name="add_rule"),
    path("rules/<str:rule_id>/", rules.rule_page, name="rule_page"),
    path("rules/<str:rule_id>/delete/", rules.delete_rule, name="delete_rule"),
    path("functions/<str:function_id>/models/", models.models_page, name="models_page"),
    path("functions/<str:function_id>/models/unpin/", models.unpin_model, name="unpin_model"),
    path("models/<str:model_id>/", models.learned_page, name="learned_page"),
    path("models/<str:model_id>/pin/", models.pin_model, name="pin_model"),
]
