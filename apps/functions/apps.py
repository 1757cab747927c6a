from django.apps import AppConfig


class FunctionsConfig(AppConfig):
    name = "apps.functions"
    label = "functions"
    default_auto_field = "django.db.models.BigAutoField"
