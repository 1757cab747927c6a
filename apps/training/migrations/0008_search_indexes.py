import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("functions", "0006_search_functions"),
        ("training", "0007_overtaken_adaptations"),
    ]

    operations = [
        migrations.AlterField(
            model_name="functionwork",
            name="kind",
            field=models.CharField(
                choices=[
                    ("embed", "embedding samples"),
                    ("train", "training"),
                    ("predict", "predicting unlabelled samples"),
                    ("survey", "looking over all samples"),
                    ("inspect", "looking for what may be wrong"),
                    ("plan", "choosing what to ask next"),
                    ("adapt", "adapting a backbone"),
                    ("reread", "reading samples with another backbone"),
                    ("index", "sorting samples for searching"),
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="SearchIndex",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("backbone", models.CharField(max_length=100)),
                ("version", models.CharField(max_length=200)),
                ("file", models.CharField(max_length=200)),
                ("sha256", models.CharField(max_length=64)),
                ("n_samples", models.PositiveIntegerField()),
                ("last_sample_id", models.PositiveBigIntegerField()),
                ("created_at", models.DateTimeField(auto_now=True)),
                (
                    "function",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_index",
                        to="functions.function",
                    ),
                ),
            ],
        ),
    ]
