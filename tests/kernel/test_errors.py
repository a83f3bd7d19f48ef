from emr.kernel import errors
from emr.web.errors import STATUS, outcome_of, status_of


def every(kind: type[errors.Refusal] = errors.Refusal) -> list[type[errors.Refusal]]:
    return [each for below in kind.__subclasses__() for each in (below, *every(below))]


class TestRefusal:
    def test_one_issue_unless_told_otherwise(self) -> None:
        refusal = errors.Invalid("code", "It is wrong.", location="a.b")
        assert refusal.issues == (errors.Issue("code", "It is wrong.", "a.b"),)
        assert str(refusal) == "It is wrong."

    def test_six_bases(self) -> None:
        bases = {each.__name__ for each in errors.Refusal.__subclasses__() if each.__module__ == errors.__name__}
        assert bases == {"NotFound", "Forbidden", "Conflict", "Invalid", "TooLarge", "Unavailable"}


class TestTable:
    def test_every_refusal_of_the_kernel_has_its_own_status(self) -> None:
        worded = {
            errors.HospitalSuspended: errors.HospitalSuspended("Nợ."),
            errors.HospitalMoving: errors.HospitalMoving(),
        }
        own = [each for each in every() if each.__module__ == errors.__name__]
        statuses = {each.__name__: status_of(worded.get(each) or each("x", "X.")) for each in own}
        assert statuses == {
            "NotFound": 404, "Gone": 410, "Forbidden": 403, "Unauthenticated": 401, "Conflict": 409,
            "PreconditionFailed": 412, "Invalid": 422, "Malformed": 400, "UnsupportedMedia": 415, "NotAcceptable": 406,
            "TooLarge": 413, "Unavailable": 503, "HospitalSuspended": 503,
            "HospitalMoving": 503, "TooManyRequests": 429,
        }  # fmt: skip

    def test_a_refinement_stands_before_what_it_refines(self) -> None:
        kinds = [entry[0] for entry in STATUS]
        for place, kind in enumerate(kinds):
            assert not any(issubclass(later, kind) for later in kinds[place + 1 :])

    def test_an_outcome_says_code_words_and_place(self) -> None:
        issues = (errors.Issue("required", "It is missing.", "Patient.name"), errors.Issue("own", "It is odd."))
        first, second = outcome_of(errors.Invalid("required", "It is missing.", issues=issues))["issue"]
        assert (first["code"], first["expression"], first["diagnostics"]) == (
            "required",
            ["Patient.name"],
            "It is missing.",
        )
        assert (second["code"], second["details"]["coding"][0]["code"]) == ("processing", "own")
        assert "expression" not in second
