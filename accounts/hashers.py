"""How passwords are hashed, and how many at once."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.utils.translation import gettext_lazy as _

from pingvas.core.errors import ServiceUnavailable
from pingvas.core.turns import Turns

SECONDS_TO_WAIT = 2.0


class HashingBusy(ServiceUnavailable):
    """So many passwords are being hashed that this one was not looked at."""

    code = "passwords_busy"
    message = _("Many people are signing in right now. Try again in a few seconds.")


@cache
def turns() -> Turns:
    """This process's own: at most half of its threads are busy with passwords."""
    running = settings.PASSWORD_HASHES_AT_ONCE
    waiting = max(settings.WEB_THREADS // 2 - running, 0)
    return Turns(running, waiting, busy=HashingBusy, seconds=SECONDS_TO_WAIT)


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id at OWASP's first choice of cost: 19 MiB, two passes, one lane.

    Django's own takes 100 MiB a hash. Hashes made at another cost are good, and made
    anew at the next sign-in. Raises HashingBusy.
    """

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with turns().turn():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with turns().turn():
            return super().verify(password, encoded)
