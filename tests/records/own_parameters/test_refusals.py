"""Search parameters that cannot be put into force are refused with the element and the rule, and not stored."""

from typing import Any

import pytest

from emr.records.own_parameters import MOST
from emr.records.update import update_resource
from tests.records.own_parameters.samples import WARD, OwnWard, own

pytestmark = pytest.mark.anyio


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "code", "where"),
        [
            ({"code": "name"}, "parameter-taken", "code"),
            ({"code": "_mine", "id": "mine"}, "parameter-code", "code"),
            ({"code": "identifier", "base": ["Linkage"]}, "parameter-code", "code"),
            ({"base": ["Patient", "DomainResource"]}, "parameter-base", "base[1]"),
            ({"base": ["Patient", "Person"]}, "parameter-expression", "expression"),
            ({"type": "composite"}, "parameter-kind", "type"),
            ({"type": "date", "expression": "Patient.name"}, "parameter-kind", "type"),
            ({"expression": "Patient.name.family.exists()"}, "parameter-expression", "expression"),
            ({"expression": "Patient.nothing"}, "parameter-expression", "expression"),
            ({"expression": "Observation.code"}, "parameter-expression", "expression"),
            ({"expression": f"Patient.extension('{WARD}').value.extension('{WARD}').value"},
             "parameter-expression", "expression"),
            ({"type": "reference", "target": ["Location", "Resource"]}, "parameter-target", "target[1]"),
            ({"xpathUsage": "phonetic"}, "parameter-usage", "xpathUsage"),
        ],
    )  # fmt: skip
    async def test_what_cannot_be_indexed_is_not_stored(
        self, ward: OwnWard, change: dict[str, Any], code: str, where: str
    ) -> None:
        assert await ward.refused(own(**change)) == [(code, f"SearchParameter.{where}")]
        await ward.put(own(**change, status="draft"))

    async def test_without_an_expression(self, ward: OwnWard) -> None:
        bare = own()
        del bare["expression"]
        assert await ward.refused(bare) == [("parameter-expression", "SearchParameter.expression")]

    async def test_two_of_one_code(self, ward: OwnWard) -> None:
        await ward.put(own())
        assert await ward.refused(own(id="other")) == [("parameter-taken", "SearchParameter.code")]
        await ward.put(own(status="retired"))
        await ward.put(own(id="other"))

    async def test_too_many(self, ward: OwnWard) -> None:
        async with ward.work() as work:
            for number in range(MOST):
                await update_resource(work, own(f"p{number}"))
        assert await ward.refused(own("more")) == [("too-many-parameters", "SearchParameter.status")]
