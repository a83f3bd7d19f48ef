"""Every way in which the platform says no, as facts and not as HTTP.

    Refusal
    ├── NotFound ── Gone
    ├── Forbidden ── Unauthenticated
    ├── Conflict ── PreconditionFailed
    ├── Invalid ── Malformed, UnsupportedMedia, NotAcceptable
    ├── TooLarge
    └── Unavailable ── HospitalSuspended, HospitalMoving, TooManyRequests

`emr.web.errors` is the one table that turns these into HTTP answers and OperationOutcomes.
"""

from typing import NamedTuple


class Issue(NamedTuple):
    """One thing that is wrong.

    code: stable, kebab-case. message: one English sentence. location: a FHIRPath, a form field or a YAML path.
    """

    code: str
    message: str
    location: str | None = None


class Refusal(Exception):
    """The platform says no, says why in words, and has stored nothing."""

    def __init__(self, code: str, message: str, *, location: str | None = None, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.location = location
        self.issues = issues or (Issue(code, message, location),)


class NotFound(Refusal):
    """It is not there, or not for this caller: the two cannot be told apart."""


class Gone(NotFound):
    """It was there and has been deleted."""


class Forbidden(Refusal):
    """The caller is known and may not."""


class Unauthenticated(Forbidden):
    """Nobody knows who is asking."""


class Conflict(Refusal):
    """The world is not in the state that the request supposes."""


class PreconditionFailed(Conflict):
    """A condition that the caller stated does not hold, such as a version that has moved on."""


class Invalid(Refusal):
    """The content breaks a rule that the refusal names."""


class Malformed(Invalid):
    """The content cannot be read at all, or the request is put together wrongly."""


class UnsupportedMedia(Invalid):
    """The content is of a kind that this entrance does not take."""


class NotAcceptable(Invalid):
    """The caller asks for a form of answer that does not exist here."""


class TooLarge(Refusal):
    """More than the stated limit."""


class Unavailable(Refusal):
    """Something that is needed does not answer at the moment; the same request may work later."""

    retry_after: int = 5
    """Seconds after which it may be worth asking again."""


class HospitalSuspended(Unavailable):
    """The department has stopped the service of this hospital."""

    retry_after = 300

    def __init__(self, reason: str) -> None:
        super().__init__("hospital-suspended", f"This hospital's service is suspended. {reason}".rstrip())


class HospitalMoving(Unavailable):
    """Nothing can be added or changed for a moment: the hospital's record is brought to another database."""

    retry_after = 20

    def __init__(self) -> None:
        super().__init__("hospital-moving", "This hospital's record is being moved; it can be read, and soon written.")


class TooManyRequests(Unavailable):
    """The caller or its hospital is over its quota."""
