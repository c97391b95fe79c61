"""What has to be true of the data once both versions have worked with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import connection

from billing.services.audit import audit_ledger
from pingvas.core.db.actor import SERVICE, acting_as

# A page of a list for one user: path and query in, the answer out.
Get = Callable[[str], Mapping[str, Any]]
Rows = list[dict[str, Any]]

JOBS, SUBMISSIONS = "/api/v1/jobs", "/api/v1/submissions"
PICTURES = "/api/v1/images"
ENDS = ("completed", "failed", "cancelled")
PAGE = 100

# Each answers the rows at fault, the first one first.
STATEMENTS = {
    "not ended": """
        SELECT id, status FROM generation_jobs
        WHERE status NOT IN ('completed', 'failed', 'cancelled') ORDER BY created_at
    """,
    "hold not resolved": """
        SELECT job_id, status FROM credit_holds WHERE status = 'held'
        ORDER BY created_at
    """,
    "without a submission of its user": """
        SELECT job.id, job.submission_id FROM generation_jobs AS job
        LEFT JOIN submissions AS asked ON asked.id = job.submission_id
        WHERE asked.user_id IS DISTINCT FROM job.user_id ORDER BY job.created_at
    """,
    "submission without a job": """
        SELECT asked.id FROM submissions AS asked
        WHERE NOT EXISTS (
            SELECT FROM generation_jobs WHERE submission_id = asked.id
        )
        ORDER BY created_at
    """,
    "batch in two submissions": """
        SELECT batch_id, array_agg(DISTINCT submission_id) FROM generation_jobs
        GROUP BY batch_id HAVING count(DISTINCT submission_id) > 1
    """,
    "not one picture where completed, or one elsewhere": """
        SELECT job.id, job.status, count(image.id) FROM generation_jobs AS job
        LEFT JOIN images AS image ON image.job_id = job.id
        GROUP BY job.id
        HAVING count(image.id) <> CASE job.status WHEN 'completed' THEN 1 ELSE 0 END
        ORDER BY job.created_at
    """,
    "queue counts on": """
        SELECT user_id, running FROM queue_shares WHERE running <> 0 OR claimable
        ORDER BY user_id
    """,
}


def check_rows() -> dict[str, list[str]]:
    """Faults by what they break; the ledger's are those of `audit_ledger`."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        found = {}
        for name, statement in STATEMENTS.items():
            cursor.execute(statement)
            found[name] = [" ".join(map(str, row)) for row in cursor.fetchall()]
    return {**found, "ledger": [str(fault) for fault in audit_ledger()]}


def check_done(
    taken: Iterable[str], ended: Sequence[tuple[str, str]]
) -> dict[str, list[str]]:
    """Of the jobs that clients were promised, and what workers say that they ended."""
    with acting_as(SERVICE), connection.cursor() as cursor:
        cursor.execute("SELECT id::text FROM generation_jobs")
        there = {row[0] for row in cursor.fetchall()}
    ends = Counter(job for job, how in ended if how in ENDS)
    return {
        "lost": [job for job in taken if job not in there],
        "done twice": [job for job, times in ends.items() if times > 1],
    }


def check_lists(get: Get) -> dict[str, list[str]]:
    """Of one user's lists, in this version: each submission once, with all its jobs."""
    listed = list(pages(get, SUBMISSIONS))
    jobs = list(pages(get, JOBS))
    of_jobs = {job["id"]: job["submission_id"] for job in jobs}
    inside = {job["id"]: one["id"] for one in listed for job in one["jobs"]}
    differing = of_jobs.items() ^ inside.items()
    return {
        "submission not listed once": [
            *_twice(one["id"] for one in listed),
            *sorted(set(of_jobs.values()) - {one["id"] for one in listed}),
        ],
        "job not listed once": [
            *_twice(job["id"] for job in jobs),
            *_twice(job["id"] for one in listed for job in one["jobs"]),
            *sorted({job for job, _ in differing}),
        ],
    }


def _twice(ids: Iterable[str]) -> list[str]:
    return [one for one, times in Counter(ids).items() if times > 1]


def check_read(before: Rows, now: Rows) -> dict[str, list[str]]:
    """Whether everything that `before` said of a row is said of it still."""
    found = {row["id"]: row for row in now}
    return {
        "reads otherwise": [
            f"{row['id']} {name}"
            for row in before
            for name, value in row.items()
            if found.get(row["id"], {}).get(name, "not there") != value
        ]
    }


def ended_rows(get: Get) -> Rows:
    """One user's ended jobs and their pictures, as a version tells them."""
    jobs = [job for end in ENDS for job in pages(get, JOBS, f"status={end}")]
    pictures = list(pages(get, PICTURES))
    return jobs + pictures


def pages(get: Get, path: str, query: str = "") -> Iterator[dict[str, Any]]:
    """Every row of a list, page by page."""
    after: str | None = ""
    while after is not None:
        more = f"&after={after}" if after else ""
        page = get(f"{path}?limit={PAGE}&{query}{more}")
        yield from page["results"]
        after = page["next"]


def together(found: Iterable[Mapping[str, list[str]]]) -> dict[str, list[str]]:
    """The faults of several checks, by what they break."""
    all_of_them: dict[str, list[str]] = {}
    for faults in found:
        for name, rows in faults.items():
            all_of_them.setdefault(name, []).extend(rows)
    return all_of_them
