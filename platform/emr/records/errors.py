"""What the record refuses."""

from collections.abc import Sequence

from emr.kernel.errors import Conflict, Gone, Invalid, Issue, Malformed, NotFound, PreconditionFailed


class ResourceNotFound(NotFound):
    """No resource of this type and id is here for this caller."""

    def __init__(self, resource_type: str, resource_id: str) -> None:
        del resource_id
        super().__init__("not-found", f"There is no such {resource_type} here.")


class ResourceGone(Gone):
    """It has been deleted; its history remains."""

    def __init__(self, resource_type: str) -> None:
        super().__init__("deleted", f"This {resource_type} has been deleted.")


class ResourceInvalid(Invalid):
    """The resource breaks rules of its definition."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        first = issues[0]
        super().__init__(first.code, first.message, location=first.location, issues=tuple(issues[:100]))


class ReferenceBroken(Invalid):
    """It refers to something that is not in this record."""

    def __init__(self, reference: str, location: str | None = None) -> None:
        super().__init__("reference-broken", f"It refers to {reference}, which is not here.", location=location)


class VersionMoved(PreconditionFailed):
    """`If-Match` names a version that is not the current one."""

    def __init__(self, current: int) -> None:
        super().__init__("version-moved", f"The current version is {current}.", location="If-Match")


class ManyMatches(PreconditionFailed):
    """A condition that must fit at most one resource fits several."""

    def __init__(self, location: str) -> None:
        super().__init__("multiple-matches", "The condition fits more than one resource.", location=location)


class AlreadyThere(PreconditionFailed):
    """`If-None-Match: *` asks for a resource that is not there yet."""

    def __init__(self) -> None:
        super().__init__("already-there", "There is such a resource already.", location="If-None-Match")


class IdTaken(Conflict):
    """A conditional update fits nothing and would create under an id that is taken."""

    def __init__(self) -> None:
        super().__init__("id-taken", "The criteria fit nothing, and the id belongs to another resource.", location="id")


class IdHeld(Conflict):
    """The id that a client chose belongs to a resource already, of which nothing is shown to the one who writes."""

    def __init__(self) -> None:
        super().__init__("id-held", "A resource cannot be stored under this id.", location="id")


class PatientHasData(Conflict):
    """A Patient whose record is not empty cannot be deleted."""

    def __init__(self) -> None:
        super().__init__("patient-has-data", "This Patient has data; it cannot be deleted.")


class SearchRefused(Malformed):
    """A search says something that this server does not understand; it is never ignored."""

    def __init__(self, code: str, message: str, parameter: str) -> None:
        super().__init__(code, message, location=parameter)
