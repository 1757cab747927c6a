import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("functions", "0006_search_functions"),
        ("samples", "0006_narrow_indexes_last"),
        ("workspaces", "0002_keys_and_quotas"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CapturePolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("off", "Nothing"),
                            ("informative", "What there is something to learn from"),
                            ("all", "Every call"),
                        ],
                        default="off",
                        max_length=12,
                    ),
                ),
                ("random_share", models.FloatField(default=0.02)),
                ("per_hour", models.PositiveIntegerField(default=200)),
                ("days_kept", models.PositiveIntegerField(default=90)),
                ("redactions", models.JSONField(blank=True, default=list)),
                (
                    "function",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="capture_policy",
                        to="functions.function",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("lease_holder", models.CharField(blank=True, default="", editable=False, max_length=60)),
                ("lease_expires_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("public_id", apps.core.ids.PublicIdField("export")),
                ("format", models.CharField(max_length=10)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting"),
                            ("running", "Being written"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("file_key", models.CharField(blank=True, max_length=200)),
                ("n_rows", models.PositiveIntegerField(default=0)),
                ("n_rows_expected", models.PositiveIntegerField(default=0)),
                ("n_attempts", models.PositiveSmallIntegerField(default=0)),
                ("message", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "function",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="exports", to="functions.function"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Capture",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("LowConfidence", "the model was not sure"),
                            ("RareClass", "a label that few samples have"),
                            ("NewKind", "unlike what it learned from"),
                            ("Random", "drawn at random"),
                            ("All", "every call is kept"),
                        ],
                        max_length=20,
                    ),
                ),
                ("is_random", models.BooleanField(default=False)),
                ("model", models.CharField(blank=True, max_length=40)),
                ("tags", models.JSONField(blank=True, null=True)),
                ("confidence", models.FloatField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "function",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="captures",
                        to="functions.function",
                    ),
                ),
                (
                    "key",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="workspaces.apikey",
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="functions.label",
                    ),
                ),
                (
                    "sample",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="capture", to="samples.sample"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["function", "created_at"], name="capture_by_time")],
            },
        ),
        migrations.CreateModel(
            name="Feedback",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", apps.core.ids.PublicIdField("feedback")),
                ("verdict", models.CharField(choices=[("Right", "right"), ("Wrong", "wrong")], max_length=8)),
                ("tags", models.JSONField(blank=True, null=True)),
                ("note", models.CharField(blank=True, max_length=400)),
                ("reporter", models.CharField(blank=True, max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting for a reviewer"),
                            ("accepted", "Accepted, not learned yet"),
                            ("declined", "Declined"),
                            ("learned", "Learned"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("handled_at", models.DateTimeField(blank=True, null=True)),
                ("learned_in", models.CharField(blank=True, max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "function",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback",
                        to="functions.function",
                    ),
                ),
                (
                    "handled_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "key",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="workspaces.apikey",
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="functions.label",
                    ),
                ),
                (
                    "sample",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="feedback", to="samples.sample"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["function", "-id"], name="feedback_newest_first"),
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["function", "verdict"],
                        name="feedback_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("state", "accepted")), fields=["function"], name="feedback_to_learn"
                    ),
                ],
            },
        ),
    ]
