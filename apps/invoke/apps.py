from django.apps import AppConfig


class InvokeConfig(AppConfig):
    name = "apps.invoke"
    label = "invoke"
    default_auto_field = "django.db.models.BigAutoField"
