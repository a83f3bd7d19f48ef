"""`emr records verify | reindex`."""

import json

import httpx

from tests.fhir.samples import mark, patient
from tests.fleet.world import emr
from tests.house import HOA_SEN, House


class TestCommand:
    def test_what_is_missing_is_told_and_then_mended(self, live: House, doctor: httpx.Client) -> None:
        made = doctor.post("/Patient", json=patient(name=[{"family": mark()}])).raise_for_status().json()
        schema = live.tenants[HOA_SEN].schema
        live.sql(
            f"DELETE FROM {schema}.strings s USING {schema}.resources r WHERE r.pk = s.pk AND r.id = %s RETURNING 1",
            made["id"],
        )
        told = emr(live, "records", "verify", HOA_SEN, "--json")
        assert told.returncode == 1, told.stderr
        every = json.loads(told.stdout)["differences"]
        assert len(every) == 1, every
        (found,) = every
        assert (found["type"], found["id"], found["table"], found["extra"]) == ("Patient", made["id"], "strings", 0)
        mended = emr(live, "records", "reindex", HOA_SEN, "--again", "--json")
        assert mended.returncode == 0, mended.stderr
        assert json.loads(mended.stdout)["resources"] == live.sql(f"SELECT count(*) FROM {schema}.resources")[0][0]
        left = emr(live, "records", "verify", HOA_SEN, "--json")
        assert left.returncode == 0, left.stdout

    def test_a_hospital_that_is_not_there(self, live: House) -> None:
        assert emr(live, "records", "verify", "nowhere").returncode == 2
