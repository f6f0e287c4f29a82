"""Every error that the product raises on purpose.

IocError
├── ConfigurationError   stop at start-up: names the file and key, and says what to do (exit code 2)
├── InvalidRecord        this record can never be processed: a dead letter with a reason, never retried
├── TransientError       the world is busy or away: retry with backoff
└── PermanentError       a try that can't succeed: a dead letter or exit code 1, with the reason
"""

__all__ = ["ConfigurationError", "InvalidRecord", "IocError", "PermanentError", "TransientError"]


class IocError(Exception):
    """Base of the tree; never raised itself."""


class ConfigurationError(IocError):
    """A setting, a catalogue file or the machine is not as needed; the message is a sentence that says what to do."""


class InvalidRecord(IocError):
    """A record from outside that breaks the contract.

    `reason` is a stable code (`missing_field`, `unknown_type`, …), `field` names where, and the two sentences are
    for the people who published it.
    """

    def __init__(self, reason: str, *, vi: str, en: str, field: str = "") -> None:
        super().__init__(f"{reason}: {en}")
        self.reason = reason
        self.field = field
        self.vi = vi
        self.en = en


class TransientError(IocError):
    """Worth another try after a pause."""


class PermanentError(IocError):
    """Another try would fail the same way."""
