"""Each posting carries a hash over the one before it; the rows that are there too."""

from django.db import migrations, models

from pingvas.core.db.sql import sql_pair

SEAL = "이전 거래의 해시를 이어받은 SHA-256 (변조 감지용)"


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_credit_holds")]

    safe_because = {
        "not-null credittransaction.row_hash": "The trigger gives every posting its "
        "hash, also those of the version before; the rows that are there get theirs in "
        "this very transaction, whose ADD COLUMN has locked the table."
    }

    operations = [
        migrations.AddField(
            "credittransaction",
            "row_hash",
            models.BinaryField(null=True, db_comment=SEAL),
        ),
        sql_pair(__file__, "ledger_hash_chain"),
        migrations.AlterField(
            "credittransaction", "row_hash", models.BinaryField(db_comment=SEAL)
        ),
    ]
