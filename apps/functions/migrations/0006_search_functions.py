from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("functions", "0005_act_undoing"),
    ]

    operations = [
        migrations.AlterField(
            model_name="function",
            name="output_kind",
            field=models.CharField(
                choices=[
                    ("label", "One label"),
                    ("tags", "Any number of tags"),
                    ("search", "The samples most like it"),
                ],
                default="label",
                max_length=10,
            ),
        ),
    ]
