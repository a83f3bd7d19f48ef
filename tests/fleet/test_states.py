"""The state of a hospital by command: who, when and why is written down; a step that is not allowed is none."""

import json
from collections.abc import Iterator

import pytest

from emr.kernel.states import STATES, may_follow
from tests.fhir.samples import mark
from tests.fleet.world import emr
from tests.house import House


@pytest.fixture(scope="module")
def slug(standing: House) -> Iterator[str]:
    made = f"state-{mark()[:8]}"
    standing.new_hospital(made)
    yield made
    standing.sql("UPDATE directory.tenants SET state = 'trial' WHERE slug = %s", made)


@pytest.fixture(autouse=True)
def on_trial(standing: House, slug: str) -> None:
    """Every test begins with a hospital on trial, of which nothing else was ever said."""
    standing.sql("DELETE FROM directory.tenant_events WHERE event = 'hospital.state-changed'")
    standing.sql("UPDATE directory.tenants SET state = 'trial', state_reason = '' WHERE slug = %s", slug)


def stands(standing: House, slug: str) -> tuple[str, str]:
    found: tuple[str, str] = standing.sql("SELECT state, state_reason FROM directory.tenants WHERE slug = %s", slug)[0]
    return found


class TestSteps:
    def test_every_state_names_only_states_and_never_itself(self) -> None:
        for name, manner in STATES.items():
            assert manner.follows <= STATES.keys() - {name}

    def test_one_that_was_live_is_never_on_trial_again(self) -> None:
        assert may_follow("suspended", "trial", was_live=False)
        assert not any(may_follow(name, "trial", was_live=True) for name in STATES)

    def test_from_everywhere_there_is_a_way_back_to_work_but_for_none(self) -> None:
        for name in STATES:
            assert STATES[name].takes or may_follow(name, "live", was_live=True)


class TestState:
    def test_an_unknown_hospital_is_refused(self, standing: House) -> None:
        done = emr(standing, "tenants", "suspend", "nowhere", "--reason", "x")
        assert (done.returncode, done.stderr) == (2, "There is no hospital nowhere.\n")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("suspended",), "Say why"),
            (("suspended", "--reason", "  "), "Say why"),
            (("suspended", "--reason", "x" * 501), "at most 500"),
            (("closed", "--reason", "x"), "A state is one of trial, live, read-only, suspended, leaving."),
            (("trial", "--reason", "x"), "is trial already"),
        ],
        ids=["no reason", "blank reason", "long reason", "no state", "same state"],
    )
    def test_bad_input_changes_nothing(self, standing: House, slug: str, arguments: tuple[str, ...], says: str) -> None:
        done = emr(standing, "tenants", "state", slug, *arguments)
        assert done.returncode == 2
        assert says in done.stderr
        assert stands(standing, slug) == ("trial", "")

    def test_a_dry_run_says_and_does_nothing(self, standing: House, slug: str) -> None:
        done = emr(standing, "tenants", "state", slug, "live", "--reason", "Khai trương", "--dry-run", "--json")
        said = json.loads(done.stdout)
        assert (said["from"], said["to"], said["done"]) == ("trial", "live", False)
        assert stands(standing, slug) == ("trial", "")

    def test_suspend_and_resume_leave_who_when_and_why(self, standing: House, slug: str) -> None:
        done = emr(standing, "tenants", "suspend", slug, "--reason", "Mất  điện", "--by", "Lan", "--json")
        said = json.loads(done.stdout)
        assert (said["from"], said["to"], said["by"], said["reason"]) == ("trial", "suspended", "Lan", "Mất điện")
        assert stands(standing, slug) == ("suspended", "Mất điện")
        assert emr(standing, "tenants", "resume", slug, "--reason", "Có điện lại").returncode == 0
        assert stands(standing, slug) == ("trial", "Có điện lại")
        shown = json.loads(emr(standing, "tenants", "state", slug, "--json").stdout)
        assert shown["state"] == "trial"
        assert [(each["from"], each["to"]) for each in shown["history"]] == [
            ("suspended", "trial"),
            ("trial", "suspended"),
        ]
        assert shown["history"][1]["by"] == "Lan"
        trail = standing.sql("SELECT row FROM directory.audit_journal UNION ALL SELECT row FROM directory.audit_events")
        rows = [json.loads(row) for (row,) in trail if f'"{slug}"' in row and "hospital.state-changed" in row]
        assert {(row["actor"]["name"], row["detail"]["to"]) for row in rows} >= {("Lan", "suspended")}
        assert not any("Mất điện" in str(row) for row in rows)

    def test_one_that_was_live_goes_back_to_live(self, standing: House, slug: str) -> None:
        for wanted in ("live", "read-only", "suspended"):
            assert emr(standing, "tenants", "state", slug, wanted, "--reason", "x").returncode == 0
        refused = emr(standing, "tenants", "state", slug, "trial", "--reason", "x")
        assert "was live" in refused.stderr
        assert emr(standing, "tenants", "resume", slug, "--reason", "x").returncode == 0
        assert stands(standing, slug)[0] == "live"
