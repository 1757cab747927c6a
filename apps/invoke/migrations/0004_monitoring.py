import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("functions", "0006_search_functions"),
        ("invoke", "0003_file_predictions"),
        ("samples", "0007_captures_and_exports"),
        ("training", "0008_search_indexes"),
        ("workspaces", "0002_keys_and_quotas"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DriftAlarm",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", apps.core.ids.PublicIdField("alarm")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("input", "What is sent in has changed"),
                            ("prediction", "What is answered has changed"),
                        ],
                        max_length=12,
                    ),
                ),
                ("facts", models.JSONField(default=dict)),
                ("began_at", models.DateTimeField()),
                ("raised_at", models.DateTimeField(auto_now_add=True)),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="DriftWatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("last_invocation_id", models.PositiveBigIntegerField(default=0)),
                ("n_calls", models.PositiveIntegerField(default=0)),
                ("state", models.JSONField(default=dict)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name="UsageHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("n_calls", models.PositiveIntegerField()),
                ("n_errors", models.PositiveIntegerField()),
                ("n_for_review", models.PositiveIntegerField()),
                ("milliseconds", models.JSONField(default=list)),
                ("confidence", models.JSONField(default=list)),
                ("labels", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["hour"],
            },
        ),
        migrations.AddField(
            model_name="invocation",
            name="error",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="invocation",
            name="is_for_review",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="invocation",
            name="novelty",
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name="invocation",
            name="sample",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="samples.sample"
            ),
        ),
        migrations.AlterField(
            model_name="invocation",
            name="confidence",
            field=models.FloatField(null=True),
        ),
        migrations.AddIndex(
            model_name="invocation",
            index=models.Index(fields=["function", "created_at"], name="invocation_by_time"),
        ),
        migrations.AddField(
            model_name="driftalarm",
            name="function",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="drift_alarms", to="functions.function"
            ),
        ),
        migrations.AddField(
            model_name="driftalarm",
            name="model",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="training.trainedmodel"
            ),
        ),
        migrations.AddField(
            model_name="driftalarm",
            name="seen_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="driftwatch",
            name="function",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="drift_watch", to="functions.function"
            ),
        ),
        migrations.AddField(
            model_name="driftwatch",
            name="model",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="training.trainedmodel"
            ),
        ),
        migrations.AddField(
            model_name="usagehour",
            name="function",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="usage_hours",
                to="functions.function",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagehour",
            constraint=models.UniqueConstraint(fields=("function", "hour"), name="usage_hour_once"),
        ),
    ]
