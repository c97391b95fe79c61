"""What side a model was trained on: the size of a picture that asks for none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("modelhub", "0002_row_security"),
    ]

    operations = [
        migrations.AddField(
            model_name="aimodel",
            name="native_side",
            field=models.IntegerField(
                blank=True,
                db_comment="모델이 학습한 이미지의 한 변 (픽셀)",
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="aimodel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("native_side__gte", 64), ("native_side__lte", 2048)
                ),
                name="ai_models_native_side_check",
            ),
        ),
    ]

    safe_because = {
        "constraint aimodel.ai_models_native_side_check": (
            "A few hundred rows that staff alone write, empty in this column."
        ),
    }
