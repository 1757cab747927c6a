"""How far undoing an act is stands in a column of its own; who was at it when the program ended stood in the facts."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

UNDOING = "undoing"


def carry_over(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    acts = apps.get_model("functions", "Act").objects
    for act in acts.filter(facts__has_key=UNDOING):
        person = act.facts.pop(UNDOING)
        acts.filter(pk=act.pk).update(facts=act.facts, undoing={"person": person})


class Migration(migrations.Migration):
    dependencies = [("functions", "0004_acts_and_teamwork")]

    operations = [
        migrations.AddField(
            model_name="act",
            name="undoing",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="act",
            index=models.Index(condition=models.Q(("undoing__isnull", False)), fields=["id"], name="act_being_undone"),
        ),
    ]
