"""The one error a developer sees when the local environment cannot start."""

from __future__ import annotations


class LocalError(Exception):
    """What is wrong and what to do about it, in both languages.

    The texts go to a developer's console as they are, so they name the file,
    port or variable concerned and never a secret.
    """

    def __init__(self, english: str, korean: str) -> None:
        super().__init__(english)
        self.english = english
        self.korean = korean

    def __str__(self) -> str:
        return f"{self.korean}\n{self.english}"
