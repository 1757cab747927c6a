"""Of several indexes that would do SQLite takes the one made last: the narrow ones are made anew, after the wide one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("samples", "0005_indexes_in_sqlites_words")]

    operations = [
        migrations.RemoveIndex(model_name="sample", name="sample_to_embed"),
        migrations.RemoveIndex(model_name="sample", name="sample_unlabelled"),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(
                fields=["function"],
                condition=models.Q(("deleted_at", None), ("is_embedded", False)),
                name="sample_to_embed",
            ),
        ),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(
                fields=["function"],
                condition=models.Q(("annotation", None), ("deleted_at", None)),
                name="sample_unlabelled",
            ),
        ),
    ]
