"""The tables of the schema as row-level security has to treat them.

Every table stands either in PRIVATE, with what the matrix test needs to know of it, or
in OPEN, with the reason why it may do without policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pingvas.core.db.rights import Right, listed_rights
from pingvas.rights import RIGHTS

Row = dict[str, object]

READ, INSERT, UPDATE, DELETE = "SELECT", "INSERT", "UPDATE", "DELETE"
LISTED = listed_rights(RIGHTS)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def may(role: str, verb: str, table: str, column: str = "") -> bool:
    """Whether the list lets `role` do this with the table, or with one column of it."""
    whole, one = Right(table, role, verb), Right(table, role, verb, column)
    return whole in LISTED or one in LISTED


def verbs_of(role: str, table: str) -> frozenset[str]:
    """What `role` may do with the table or at least with some of its columns."""
    return frozenset(
        right.verb for right in LISTED if (right.table, right.role) == (table, role)
    )


@dataclass(frozen=True)
class Person:
    """Ids of what somebody has; `spare_job` has no picture yet.

    `posting` is their first, or for whoever has none another's that has no note yet.
    """

    name: str
    postings: int
    id: UUID = field(default_factory=uuid4)
    subscription: UUID = field(default_factory=uuid4)
    posting: UUID = field(default_factory=uuid4)
    submission: UUID = field(default_factory=uuid4)
    job: UUID = field(default_factory=uuid4)
    spare_job: UUID = field(default_factory=uuid4)
    image: UUID = field(default_factory=uuid4)
    public_image: UUID = field(default_factory=uuid4)
    board: UUID = field(default_factory=uuid4)


@dataclass(frozen=True)
class Private:
    """One table's entry.

    `row` makes a valid new row of a person's; `touch` is a harmless assignment. What
    each role may do is the list's to say (`may`). `references` names every column that
    points at a private table, with somebody's private row to point at, and `shared` the
    ones that may also point at what somebody made public. `key` identifies rows well
    enough to tell whose.
    """

    row: Callable[[Person], Row]
    touch: str
    references: Mapping[str, Callable[[Person], object]] = field(default_factory=dict)
    shared: Mapping[str, Callable[[Person], object]] = field(default_factory=dict)
    key: str = "id"


def a_user(person: Person) -> Row:
    new = uuid4()
    return {"id": new, "email": f"{new}@example.com", "is_superuser": False}


def a_subscription(person: Person) -> Row:
    return {
        "id": uuid4(),
        "user_id": person.id,
        "lemon_squeezy_id": str(uuid4()),
        "tier": "pro",
        "status": "expired",
        "current_period_start": NOW,
        "current_period_end": NOW,
    }


def a_balance(person: Person) -> Row:
    return {"id": uuid4(), "user_id": person.id, "balance": 0}


def a_posting(person: Person) -> Row:
    """Continues the person's ledger: else a trigger would refuse it, not a policy."""
    return {
        "id": uuid4(),
        "user_id": person.id,
        "amount": 10,
        "type": "admin_adjustment",
        "job_id": person.spare_job,
        "subscription_id": person.subscription,
        "balance_after": 10 * (person.postings + 1),
        "idempotency_key": str(uuid4()),
        "sequence": person.postings + 1,
    }


def a_note(person: Person) -> Row:
    return {"transaction_id": person.posting, "internal_reason": "a gift"}


def a_job(person: Person) -> Row:
    return {
        "id": uuid4(),
        "user_id": person.id,
        "tier": "free",
        "submission_id": person.submission,
        "prompt": "a lighthouse at dusk",
        "model": "starter",
        "width": 64,
        "height": 64,
    }


def a_hold(person: Person) -> Row:
    return {
        "id": uuid4(),
        "user_id": person.id,
        "job_id": person.spare_job,
        "kind": "generation_usage",
        "amount": 1,
    }


def a_share(person: Person) -> Row:
    return {"user_id": person.id, "tier": "free"}


def an_idempotency_key(person: Person) -> Row:
    return {
        "user_id": person.id,
        "key": str(uuid4()),
        "fingerprint": "0" * 64,
        "status": 200,
        "body": "{}",
    }


def a_submission(person: Person) -> Row:
    return {"id": uuid4(), "user_id": person.id}


def a_token_family(person: Person) -> Row:
    return {
        "id": uuid4(),
        "user_id": person.id,
        "refresh_jti": "0" * 32,
        "expires_at": NOW,
    }


def an_image(person: Person) -> Row:
    return {
        "id": uuid4(),
        "user_id": person.id,
        "job_id": person.spare_job,
        "s3_bucket": "pictures",
        "s3_key": str(uuid4()),
        "width": 64,
        "height": 64,
        "file_size": 1,
    }


def a_job_input(person: Person) -> Row:
    return {"job_id": person.spare_job, "image_id": person.image, "role": "init"}


def a_storage(person: Person) -> Row:
    return {"user_id": person.id, "bytes": 1}


def a_storage_delta(person: Person) -> Row:
    return {"id": uuid4().int >> 66, "user_id": person.id, "bytes": 1}


def a_board(person: Person) -> Row:
    return {
        "id": uuid4(),
        "user_id": person.id,
        "name": str(uuid4()),
        "cover_image_id": person.image,
    }


def a_board_image(person: Person) -> Row:
    return {"board_id": person.board, "image_id": person.image}


def a_workflow(person: Person) -> Row:
    return {
        "id": uuid4(),
        "user_id": person.id,
        "name": str(uuid4()),
        "workflow_data": "{}",
        "thumbnail_image_id": person.image,
    }


def a_model(person: Person) -> Row:
    return {
        "id": uuid4(),
        "name": str(uuid4()),
        "type": "lora",
        "is_official": False,
        "uploaded_by_user_id": person.id,
    }


def _id(person: Person) -> object:
    return person.id


def _job(person: Person) -> object:
    return person.spare_job


def _image(person: Person) -> object:
    return person.image


def _public_image(person: Person) -> object:
    return person.public_image


# In an order in which rows can be inserted.
PRIVATE = {
    "users": Private(
        a_user,
        "display_name = 'touched'",
    ),
    "subscriptions": Private(
        a_subscription,
        "status = 'expired'",
        references={"user_id": _id},
    ),
    "credit_balances": Private(
        a_balance,
        "last_granted_at = now()",
        references={"user_id": _id},
    ),
    "submissions": Private(
        a_submission,
        "kind = 'grid'",
        references={"user_id": _id},
    ),
    "generation_jobs": Private(
        a_job,
        "error_message = 'touched'",
        references={
            "user_id": _id,
            "submission_id": lambda person: person.submission,
            "retried_from_id": _job,
        },
    ),
    "credit_holds": Private(
        a_hold,
        "status = 'released', resolved_at = now()",
        references={"user_id": _id, "job_id": _job},
    ),
    "queue_shares": Private(
        a_share,
        "running = 1",
        references={"user_id": _id},
        key="user_id",
    ),
    "idempotency_keys": Private(
        an_idempotency_key, "status = 201", references={"user_id": _id}, key="key"
    ),
    "token_families": Private(
        a_token_family,
        "ended_at = now()",
        references={"user_id": _id},
    ),
    "credit_transactions": Private(
        a_posting,
        "description = 'touched'",
        references={
            "user_id": _id,
            "job_id": _job,
            "subscription_id": lambda person: person.subscription,
        },
    ),
    "adjustment_notes": Private(
        a_note,
        "internal_reason = 'touched'",
        references={"transaction_id": lambda person: person.posting},
        key="transaction_id",
    ),
    "images": Private(
        an_image, "share_token = NULL", references={"user_id": _id, "job_id": _job}
    ),
    "picture_storage": Private(
        a_storage, "bytes = 2", references={"user_id": _id}, key="user_id"
    ),
    "picture_storage_deltas": Private(a_storage_delta, "bytes = 2"),
    "job_inputs": Private(
        a_job_input,
        "position = 1",
        references={"job_id": _job, "image_id": _image},
        shared={"image_id": _public_image},
        key="job_id",
    ),
    "boards": Private(
        a_board,
        "description = 'touched'",
        references={"user_id": _id, "cover_image_id": _image},
        shared={"cover_image_id": _public_image},
    ),
    "board_images": Private(
        a_board_image,
        "added_at = now()",
        references={"board_id": lambda person: person.board, "image_id": _image},
        shared={"image_id": _public_image},
        key="board_id",
    ),
    "workflows": Private(
        a_workflow,
        "description = 'touched'",
        references={"user_id": _id, "thumbnail_image_id": _image},
        shared={"thumbnail_image_id": _public_image},
    ),
    "ai_models": Private(
        a_model,
        "description = 'touched'",
        references={"uploaded_by_user_id": _id},
    ),
}

OPEN = {
    "django_migrations": "the state of the schema",
    "django_content_type": "names of models",
    "django_session": "third-party; reached by the identity actor alone",
    "django_admin_log": "third-party; reached by the service alone",
    "auth_permission": "names of permissions",
    "auth_group": "names of staff groups",
    "auth_group_permissions": "what staff groups may do",
    "users_groups": "third-party; Django asks it for the user at hand",
    "users_user_permissions": "third-party; Django asks it for the user at hand",
    "generation_workers": "which workers live",
    "model_speeds": "how fast models run, whoever asked",
    "queue_clock": "one number for the whole queue",
    "ledger_roots": "digests of the whole ledger; the service's alone",
    "django_celery_beat_clockedschedule": "the timetable",
    "django_celery_beat_crontabschedule": "the timetable",
    "django_celery_beat_intervalschedule": "the timetable",
    "django_celery_beat_periodictask": "the timetable",
    "django_celery_beat_periodictasks": "the timetable",
    "django_celery_beat_solarschedule": "the timetable",
}

# Whatever runs with its owner's eyes, and so past the policies.
VIEWS = {
    "user_stats": "materialized; service_user and readonly_user alone",
    "user_stats_own": "filtered by the actor",
}
