"""What an app must be to be registered, and what of its wishes it can get."""

from dataclasses import replace
from typing import Any

import pytest

from emr.identity.apps import App
from emr.identity.errors import ScopeInvalid
from emr.kernel.errors import Forbidden, Invalid, NotFound
from emr.smart.negotiating import asked_scopes, granted_scopes, lasting_of
from emr.smart.registering import RegisterApp, checked
from emr.smart.service import list_apps, register_app, renew_secret, stop_app
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from emr_demo.provider.people import subject_of
from tests.house import CAU_VONG, HOA_SEN, House
from tests.smart.apps import rsa

PUBLIC: dict[str, Any] = {
    "name": "Biểu đồ tăng trưởng",
    "kind": "public",
    "scopes": ["launch", "patient/Observation.rs"],
    "redirect_uris": ["https://app.example/back"],
}
KEYS = {"keys": [rsa().as_dict(private=False)]}
SERVICE: dict[str, Any] = {
    "name": "Máy",
    "kind": "service",
    "scopes": ["system/*.rs"],
    "jwks": KEYS,
    "member": "somebody",
}


def refused(wish: dict[str, Any]) -> str | None:
    with pytest.raises(Invalid) as caught:
        checked(RegisterApp.of(wish), "t")
    return caught.value.issues[0].location


class TestChecked:
    def test_an_app(self) -> None:
        app, secret = checked(RegisterApp.of(PUBLIC), "t")
        assert (app.tenant_id, app.kind, secret) == ("t", "public", None)

    def test_a_secret_is_told_and_not_kept(self) -> None:
        app, secret = checked(RegisterApp.of(PUBLIC | {"kind": "confidential"}), "t")
        assert secret is not None
        assert app.has_secret(secret)
        assert not app.has_secret(secret + "x")
        assert secret not in repr(app)

    @pytest.mark.parametrize(
        "address",
        [
            "http://app.example/back",
            "https://app.example/back#here",
            "https://me@app.example/",
            "https:///back",
            "javascript:alert(1)",
            "app://back",
            "https://app.example/b ck",
            "//app.example/back",
            "https://ápp.example/",
        ],
    )
    def test_addresses_that_nobody_is_sent_to(self, address: str) -> None:
        assert refused(PUBLIC | {"redirect_uris": [address]}) == "redirect_uris"
        assert refused(PUBLIC | {"launch_uri": address}) == "launch_uri"

    @pytest.mark.parametrize("address", ["https://app.example:8443/a?b=c", "http://127.0.0.1:9/", "http://localhost/x"])
    def test_addresses_that_are_good(self, address: str) -> None:
        assert checked(RegisterApp.of(PUBLIC | {"redirect_uris": [address]}), "t")[0].redirect_uris == (address,)

    @pytest.mark.parametrize(
        "scope",
        [
            "system/*.rs",
            "patient/Patients.rs",
            "patient/Patient.sr",
            "openid",
            "admin",
            "user/Patient.rs?birthdate=gt2000",
        ],
    )
    def test_scopes_that_no_app_gets(self, scope: str) -> None:
        assert refused(PUBLIC | {"scopes": [scope]}) == "scopes"

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"member": None}, "member"),
            ({"jwks": None}, "jwks"),
            ({"jwks_uri": "https://keys.example/"}, "jwks"),
            ({"jwks": None, "jwks_uri": "http://keys.example/"}, "jwks_uri"),
            ({"redirect_uris": ["https://a.example/"]}, "redirect_uris"),
            ({"scopes": ["user/*.rs"]}, "scopes"),
            ({"scopes": ["offline_access"]}, "scopes"),
            ({"jwks": {"keys": [rsa().as_dict(private=True)]}}, "jwks"),
            ({"jwks": {"keys": []}}, "jwks"),
            ({"jwks": {"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]}}, "jwks"),
            ({"color": "red"}, "color"),
            ({"name": ""}, "name"),
            ({"kind": "robot"}, "kind"),
        ],
    )
    def test_what_is_wrong_with_a_service(self, change: dict[str, Any], field: str) -> None:
        assert refused(SERVICE | change) == field

    def test_an_app_of_people_has_neither_keys_nor_member(self) -> None:
        assert refused(PUBLIC | {"member": "x"}) == "member"
        assert refused(PUBLIC | {"jwks": KEYS}) == "jwks"
        assert refused(PUBLIC | {"redirect_uris": []}) == "redirect_uris"


CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


class TestGranted:
    APP = App("a", "t", "n", "public", frozenset({"launch", "offline_access", "patient/*.rs", "user/Patient.cruds"}))

    def test_what_it_was_registered_for(self) -> None:
        asked = {"launch", "patient/Observation.r", "user/Patient.rs", "offline_access"}
        assert granted_scopes(self.APP, asked) == asked

    def test_the_rest_is_left_out(self) -> None:
        asked = {"openid", "launch/patient", "online_access", "user/*.rs", "patient/Condition.cruds", "system/*.r"}
        assert granted_scopes(self.APP, asked) == {"patient/Condition.rs"}

    def test_words_of_the_first_version_stay_when_they_are_granted_whole(self) -> None:
        assert granted_scopes(self.APP, {"patient/*.read"}) == {"patient/*.read"}
        assert granted_scopes(self.APP, {"patient/*.*"}) == {"patient/*.rs"}

    @pytest.mark.parametrize(
        "asked",
        ["", "launch", "user/Observation.rs", "patient/Robot.rs", "patient/Patient.rs?birthdate=gt2000", "user/x"],
    )
    def test_nothing_about_resources_is_no_grant(self, asked: str) -> None:
        with pytest.raises(ScopeInvalid):
            granted_scopes(self.APP, asked_scopes(asked))

    def test_criteria_stay_with_their_scope_and_with_fewer_letters(self) -> None:
        asked = f"patient/Observation.cruds?category={CATEGORY}|laboratory"
        assert granted_scopes(self.APP, {asked}) == {asked.replace("cruds", "rs")}

    def test_an_app_of_some_observations_gets_no_others(self) -> None:
        own = f"patient/Observation.rs?category={CATEGORY}|laboratory"
        app = replace(self.APP, scopes=frozenset({own}))
        assert granted_scopes(app, {own}) == {own}
        assert granted_scopes(app, {own + "&status=final"}) == {own + "&status=final"}
        for wider in ("patient/Observation.rs", f"patient/Observation.rs?category={CATEGORY}|vital-signs"):
            with pytest.raises(ScopeInvalid):
                granted_scopes(app, {wider})

    @pytest.mark.parametrize(
        ("criterion", "named"),
        [
            ("date=gt2020", "date"),
            ("category:not=laboratory", "category:not"),
            ("category=http://x|", "category"),
            ("identifier=x", "identifier"),
            ("nothing=x", "nothing"),
        ],
    )
    def test_a_criterion_that_is_not_kept_is_refused_by_name(self, criterion: str, named: str) -> None:
        with pytest.raises(ScopeInvalid, match=named):
            granted_scopes(self.APP, {f"patient/Observation.rs?{criterion}"})

    def test_rights_that_differ_by_criteria_are_refused(self) -> None:
        one, other = (f"patient/Observation.{each}" for each in ("r?category=a", "s?category=b"))
        with pytest.raises(ScopeInvalid, match="Observation"):
            granted_scopes(self.APP, {one, other})

    def test_how_long(self) -> None:
        assert lasting_of({"offline_access", "online_access"}) == "offline"
        assert lasting_of({"online_access"}) == "online"
        assert lasting_of({"launch"}) == "no"


@pytest.mark.anyio
class TestVerbs:
    @pytest.mark.parametrize("role", ["doctor", "his"])
    async def test_only_the_administrator(self, parts: Runtime, standing: House, role: str) -> None:
        with pytest.raises(Forbidden):
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal(role)) as work:
                await register_app(work, RegisterApp.of(PUBLIC))

    async def test_a_hospital_has_its_own(self, parts: Runtime, standing: House) -> None:
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal("admin")) as work:
            app, _ = await register_app(work, RegisterApp.of(PUBLIC))
            assert app in await list_apps(work)
        async with unit_of_work(parts, standing.tenants[CAU_VONG], standing.principal("admin", CAU_VONG)) as work:
            assert app not in await list_apps(work)
            with pytest.raises(NotFound):
                await stop_app(work, app.id)
            with pytest.raises(NotFound):
                await renew_secret(work, app.id)

    @pytest.mark.parametrize("member", ["nobody", subject_of(f"doctor@{HOA_SEN}"), subject_of(f"lis@{CAU_VONG}")])
    async def test_a_service_works_as_a_machine_of_the_hospital(
        self, parts: Runtime, standing: House, member: str
    ) -> None:
        with pytest.raises(Invalid) as caught:
            async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal("admin")) as work:
                await register_app(work, RegisterApp.of(SERVICE | {"member": member}))
        assert caught.value.location == "member"
