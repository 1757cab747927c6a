"""Where captured calls wait to be looked at, and how many were to be kept and were not."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("functions", "0006_search_functions"),
        ("samples", "0007_captures_and_exports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="capturepolicy",
            name="missed_because",
            field=models.CharField(
                blank=True,
                choices=[
                    ("Limit", "as many as may be kept in an hour were"),
                    ("Quota", "the workspace has as many samples as it may have"),
                    ("Redaction", "the operator's redaction failed"),
                    ("Fault", "they could not be stored"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="capturepolicy",
            name="missed_hour",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="capturepolicy",
            name="n_missed",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(
                condition=models.Q(("annotation", None), ("deleted_at", None), ("origin", "capture")),
                fields=["function", "created_at"],
                name="sample_captured",
            ),
        ),
    ]
