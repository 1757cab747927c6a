from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("functions", "0002_tables_and_tags"),
    ]

    operations = [
        migrations.AddField(
            model_name="field",
            name="facts",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
