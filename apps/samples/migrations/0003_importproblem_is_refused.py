from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("samples", "0002_tables_and_tags"),
    ]

    operations = [
        migrations.AddField(
            model_name="importproblem",
            name="is_refused",
            field=models.BooleanField(default=True),
        ),
    ]
