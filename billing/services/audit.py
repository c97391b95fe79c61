"""Proves the books: what the services promise, asked of every row.

Each check is one statement over whole tables, and so sees one instant even while jobs
are settled; it answers the rows at fault and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from billing.ledger_hash import START, row_hash_sql
from pingvas.core.db.actor import SERVICE, acting_as


@dataclass(frozen=True)
class Fault:
    """One row that breaks the check of that name."""

    check: str
    row: dict[str, Any]

    def __str__(self) -> str:
        values = " ".join(f"{name}={value}" for name, value in self.row.items())
        return f"{self.check}: {values}"


_EXPECTED = row_hash_sql("posting", previous=f"lag(row_hash, 1, {START}) OVER chain")

CHECKS = {
    # Every posting continues the one before it: sequence without gaps from 1,
    # balance_after the running sum, row_hash over what it says and the hash before. One
    # changed row breaks itself and may break the next: each user's first is named.
    "broken_chain": f"""
        SELECT DISTINCT ON (user_id) user_id, sequence, id, amount, balance_after,
            array_to_string(ARRAY[
                CASE WHEN sequence <> before + 1 THEN 'sequence' END,
                CASE WHEN balance_after <> after_before + amount
                    THEN 'balance_after' END,
                CASE WHEN row_hash <> expected THEN 'row_hash' END
            ], ' ') AS differs
        FROM (
            SELECT posting.*,
                lag(sequence, 1, 0::bigint) OVER chain AS before,
                lag(balance_after, 1, 0) OVER chain AS after_before,
                {_EXPECTED} AS expected
            FROM credit_transactions AS posting
            WINDOW chain AS (PARTITION BY user_id ORDER BY sequence)
        ) AS posting
        WHERE sequence <> before + 1 OR balance_after <> after_before + amount
            OR row_hash <> expected
        ORDER BY user_id, sequence
    """,  # noqa: S608 - our own words
    # The balance is the sum of the postings and the last one's balance_after; a user
    # without a balance row has no posting, and the other way round has 0.
    "balance_differs": """
        SELECT user_id, balance, posted, last.balance_after
        FROM credit_balances
        FULL JOIN (
            SELECT user_id, sum(amount) AS posted, max(sequence) AS sequence
            FROM credit_transactions GROUP BY user_id
        ) AS total USING (user_id)
        LEFT JOIN credit_transactions AS last USING (user_id, sequence)
        WHERE balance IS DISTINCT FROM coalesce(posted, 0)
            OR balance IS DISTINCT FROM coalesce(last.balance_after, 0)
    """,
    "held_above_balance": """
        SELECT user_id, held, coalesce(balance, 0) AS balance
        FROM (
            SELECT user_id, sum(amount) AS held
            FROM credit_holds WHERE status = 'held' GROUP BY user_id
        ) AS total
        LEFT JOIN credit_balances USING (user_id)
        WHERE held > coalesce(balance, 0)
    """,
    # Usage is what its hold was settled for, and never more than was held. A posting
    # whose job was deleted has lost its hold with it.
    "usage_without_hold": """
        SELECT posting.user_id, posting.job_id, posting.sequence, posting.type,
            posting.amount, hold.status, hold.amount AS held, hold.settled_amount
        FROM credit_transactions AS posting
        LEFT JOIN credit_holds AS hold USING (job_id, user_id)
        WHERE posting.type IN ('generation_usage', 'api_usage')
            AND posting.job_id IS NOT NULL
            AND (
                (hold.status, hold.kind, hold.settled_amount)
                    IS DISTINCT FROM ('settled', posting.type, -posting.amount)
                OR hold.amount < -posting.amount
            )
    """,
    "settled_not_posted_once": """
        SELECT hold.user_id, hold.job_id, hold.settled_amount,
            count(posting.id) AS postings
        FROM credit_holds AS hold
        LEFT JOIN credit_transactions AS posting
            ON posting.job_id = hold.job_id
            AND posting.type IN ('generation_usage', 'api_usage')
        WHERE hold.status = 'settled'
        GROUP BY hold.id HAVING count(posting.id) <> 1
    """,
    # A live job has its hold, a completed one has paid, a failed one never pays.
    "hold_differs_from_job": """
        SELECT job.user_id, job.id AS job_id, job.status AS job_status,
            hold.status AS hold_status, hold.user_id AS hold_user_id
        FROM generation_jobs AS job
        LEFT JOIN credit_holds AS hold ON hold.job_id = job.id
        WHERE hold.user_id <> job.user_id
            OR coalesce(hold.status, 'none') <> ALL (
                CASE job.status
                    WHEN 'completed' THEN ARRAY['settled']
                    WHEN 'failed' THEN ARRAY['released', 'none']
                    WHEN 'cancelled' THEN ARRAY['settled', 'released', 'none']
                    ELSE ARRAY['held']
                END
            )
    """,
    # What receipts and statistics show is what was quoted, held and charged.
    "job_shows_other_figures": """
        SELECT job.user_id, job.id AS job_id, job.status, job.quoted_credits,
            hold.amount AS held, job.credits_consumed, hold.settled_amount
        FROM generation_jobs AS job
        JOIN credit_holds AS hold ON hold.job_id = job.id
        WHERE hold.amount <> job.quoted_credits
            OR coalesce(job.credits_consumed, 0) <> coalesce(hold.settled_amount, 0)
    """,
}


def audit_ledger() -> list[Fault]:
    """Run every check over everybody's rows; an empty list is a clean audit."""
    with acting_as(SERVICE):
        return [fault for check in CHECKS for fault in _run(check)]


def _run(check: str) -> list[Fault]:
    with connection.cursor() as cursor:
        cursor.execute(CHECKS[check])
        names = [column.name for column in cursor.description or ()]
        return [
            Fault(check, dict(zip(names, row, strict=True)))
            for row in cursor.fetchall()
        ]
