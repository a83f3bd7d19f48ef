"""Who works for the department: made by the owner of the tables alone, and written down."""

import json

import psycopg
import pytest
from psycopg import errors

from emr.fleet.operators import grant, revoke
from emr.identity.operators import Operator
from emr.identity.principal import Kind
from emr.kernel.errors import Invalid, NotFound
from tests.console.conftest import rows_of
from tests.fhir.samples import mark
from tests.fleet.world import emr
from tests.house import House


def rows(standing: House, subject: str) -> list[tuple[str, bool]]:
    return standing.sql("SELECT role, active FROM directory.operators WHERE subject = %s", subject)  # type: ignore[return-value]


class TestOperators:
    def test_granted_twice_is_granted_once_and_written_down(self, standing: House) -> None:
        subject = mark()
        lan = Operator(subject, "ops", "person", "Lan")
        assert grant(standing.settings.database, lan, "Minh")
        assert not grant(standing.settings.database, lan, "Minh")
        written = [row for row in rows_of(standing, "operator.granted") if subject in str(row["detail"])]
        assert [row["detail"] for row in written] == [{"subject": subject, "role": "ops", "kind": "person"}]
        assert rows(standing, subject) == [("ops", True)]

    def test_revoked_and_then_there_is_none(self, standing: House) -> None:
        subject = mark()
        grant(standing.settings.database, Operator(subject, "auditor", "machine", "Lan"), "Minh")
        revoke(standing.settings.database, subject, "Minh")
        assert rows(standing, subject) == [("auditor", False)]
        with pytest.raises(NotFound, match=subject):
            revoke(standing.settings.database, subject, "Minh")

    def test_from_the_command_line(self, standing: House) -> None:
        subject = mark()
        done = emr(standing, "operators", "grant", subject, "--role", "ops", "--name", "Lan", "--by", "Minh")
        assert done.stdout == "Lan is ops.\n"
        listed = json.loads(emr(standing, "operators", "list", "--json").stdout)
        assert [each["granted_by"] for each in listed if each["subject"] == subject] == ["Minh"]
        refused = emr(standing, "operators", "revoke", mark())
        assert (refused.returncode, "emr operators list" in refused.stderr) == (2, True)

    @pytest.mark.parametrize(
        ("operator", "says"),
        [
            (("doctor", "person", "x"), "A role is one of ops, auditor."),
            (("ops", "machine", "x"), "it looks"),
            (("ops", "person", " "), "a name"),
        ],
        ids=["no role", "a machine that acts", "no name"],
    )
    def test_bad_input_changes_nothing(self, standing: House, operator: tuple[str, Kind, str], says: str) -> None:
        subject = mark()
        with pytest.raises(Invalid, match=says):
            grant(standing.settings.database, Operator(subject, *operator), "Minh")
        assert rows(standing, subject) == []

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO directory.operators (subject, role, name, granted_by) VALUES ('x', 'ops', 'x', 'x')",
            "UPDATE directory.operators SET active = true",
            "DELETE FROM directory.operators",
        ],
    )
    def test_the_service_can_make_none(self, standing: House, statement: str) -> None:
        with psycopg.connect(standing.settings.database.url, autocommit=True) as connection:
            connection.execute("SET ROLE emr_directory")
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
