import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F, Value
from django.db.models.functions import Concat


def name_clients(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("workspaces", "ApiKey").objects.update(client_id=Concat(Value("hf_"), F("prefix")))


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="chosen_hash",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="apikey",
            name="client_id",
            field=models.CharField(default="", max_length=80),
            preserve_default=False,
        ),
        migrations.RunPython(name_clients, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="apikey",
            name="client_id",
            field=models.CharField(max_length=80, unique=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="old_secret_hash",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="apikey",
            name="old_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="only_function",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="workspace",
            name="calls_per_day",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="max_functions",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="max_samples",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="IdempotentReply",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("words", models.CharField(max_length=200)),
                ("request_hash", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("body", models.BinaryField(default=bytes)),
                ("created_at", models.DateTimeField(auto_now_add=True, db_index=True)),
                (
                    "key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="replies",
                        to="workspaces.apikey",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("key", "words"), name="idempotent_once")],
            },
        ),
    ]
