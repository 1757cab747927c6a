from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Exists, OuterRef


def mark_overtaken(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Only the newest was ever read: those before it are not to be taken up again where it is rejected."""
    rows = apps.get_model("training", "Adaptation").objects
    newer = rows.filter(function=OuterRef("function"), pk__gt=OuterRef("pk"))
    rows.filter(Exists(newer), state__in=("trying", "used")).update(state="overtaken")


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0006_compared_backbones"),
    ]

    operations = [
        migrations.AlterField(
            model_name="adaptation",
            name="state",
            field=models.CharField(
                choices=[
                    ("trying", "Not judged yet"),
                    ("used", "Read by the newest model"),
                    ("rejected", "Not better than what was there"),
                    ("overtaken", "A newer one is read"),
                ],
                default="trying",
                max_length=10,
            ),
        ),
        migrations.RunPython(mark_overtaken, migrations.RunPython.noop),
    ]
