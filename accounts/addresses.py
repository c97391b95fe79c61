"""Which e-mail addresses a new account may have."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

# Of what the standard allows, quoted names and addresses of machines.
UNUSUAL = frozenset('"\\[]')
_validate = EmailValidator(allowlist=[])


def validate_new_address(email: str) -> None:
    """ValidationError unless a mail to it goes to one person at a named domain.

    Another spelling of an address would be another account with another free month.
    Accounts that were made before keep what they have.
    """
    _validate(email)
    # Python and PostgreSQL disagree on lower case outside ASCII, and one spelling must
    # mean one account. International domains have an ASCII form.
    if not email.isascii() or UNUSUAL.intersection(email):
        raise ValidationError(EmailValidator.message)
