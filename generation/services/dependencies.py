"""Jobs that wait for others of the same user: `waits_for`, and how many are unfinished.

`waits_on` is counted anew under the user's lock whenever one of them completes. Of two
that complete at once without it, each would count the other as unfinished.
"""

from __future__ import annotations

from functools import cache
from uuid import UUID

from generation.models import GenerationJob
from generation.waiting import lost_parent, unfinished_parents, waiting_child
from pingvas.core.db.rows import columns_of, read_together
from pingvas.core.db.statements import Bound, Statement

_COUNT_AGAIN = Statement.of(
    """
    UPDATE generation_jobs job SET waits_on = {unfinished}
    WHERE job.user_id = %(user)s AND {waiting_child}
      AND job.waits_for @> ARRAY[%(parent)s]::uuid[]
    """,
    unfinished=unfinished_parents("job"),
    waiting_child=waiting_child("job"),
)
_COUNT_ONE = Statement.of(
    """
    UPDATE generation_jobs job SET waits_on = {unfinished}
    WHERE job.id = %(job)s AND job.user_id = %(user)s AND {waiting_child}
    RETURNING waits_on, {lost}
    """,
    unfinished=unfinished_parents("job"),
    waiting_child=waiting_child("job"),
    lost=lost_parent("job"),
)
# Children, their children and so on, locked behind the user's share.
_DESCENDANTS = """
    WITH RECURSIVE lost(id) AS (
        SELECT %(parent)s::uuid
        UNION
        SELECT child.id FROM lost JOIN generation_jobs child
            ON child.waits_for @> ARRAY[lost.id]
        WHERE child.user_id = %(user)s AND {waiting_child}
    )
    SELECT {columns} FROM generation_jobs job
    WHERE job.user_id = %(user)s AND {waiting_job} AND job.id IN (SELECT id FROM lost)
    ORDER BY job.created_at, job.id
    FOR UPDATE OF job
"""
_WRONGLY_COUNTED = Statement.of(
    """
    SELECT job.id, job.user_id FROM generation_jobs job
    WHERE {waiting_child} AND (job.waits_on <> {unfinished} OR {lost})
    LIMIT %(most)s
    """,
    unfinished=unfinished_parents("job"),
    waiting_child=waiting_child("job"),
    lost=lost_parent("job"),
)


def count_again(parent: GenerationJob) -> Bound:
    """Let the children of a completed job know; to be sent under the user's lock."""
    return _COUNT_AGAIN.bind(user=parent.user_id, parent=parent.id)


def descendants(parent: GenerationJob) -> Bound:
    """All that wait for a job that will not complete; under the user's lock too."""
    return _descendants().bind(user=parent.user_id, parent=parent.id)


@cache
def _descendants() -> Statement:
    return Statement.of(
        _DESCENDANTS,
        columns=columns_of(GenerationJob, "job"),
        waiting_child=waiting_child("child"),
        waiting_job=waiting_child("job"),
    )


def count_one(job_id: UUID, user_id: UUID) -> tuple[int, bool] | None:
    """Count a waiting job's parents: the unfinished, and whether one is lost.

    None for a job that waits for none, or no more. Under the user's lock.
    """
    [rows] = read_together([_COUNT_ONE.bind(job=job_id, user=user_id)])
    return (int(rows[0][0]), bool(rows[0][1])) if rows else None


def wrongly_counted(most: int) -> list[tuple[UUID, UUID]]:
    """Waiting jobs, with their users, that say other than their parents do."""
    [rows] = read_together([_WRONGLY_COUNTED.bind(most=most)])
    return [(job_id, user_id) for job_id, user_id in rows]
