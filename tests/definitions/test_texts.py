"""What people read in a resource."""

from typing import Any

import pytest

from emr.definitions import model
from emr.definitions.texts import narrative, texts
from tests.definitions.samples import Json, observation, patient


def told(resource: Json) -> set[str]:
    return set(texts(resource["resourceType"], resource))


class TestNarrative:
    @pytest.mark.parametrize(
        ("div", "text"),
        [
            ("<div><p>Sốt</p><p>cao</p></div>", ["Sốt", "cao"]),
            ("<div>a &lt; b &amp; c</div>", ["a", "<", "b", "&", "c"]),
            ('<div title="x">y</div>', ["y"]),
        ],
    )
    def test_is_its_text_without_tags(self, div: str, text: list[str]) -> None:
        assert narrative({"text": {"status": "generated", "div": div}}).split() == text

    @pytest.mark.parametrize("resource", [{}, {"text": "x"}, {"text": {"status": "empty"}}])
    def test_may_be_missing(self, resource: dict[str, Any]) -> None:
        assert narrative(resource) == ""


class TestTexts:
    def test_displays_texts_and_notes(self) -> None:
        resource = observation(
            code={"coding": [{"code": "1", "display": "Nhịp tim"}], "text": "Mạch"},
            subject={"reference": "Patient/1", "display": "Bà An"},
            note=[{"text": "Đo lại sau 5 phút", "authorString": "Y tá"}],
            valueString="đều",
        )
        assert told(resource) == {"Nhịp tim", "Mạch", "Bà An", "Đo lại sau 5 phút", "Y tá", "đều"}

    def test_names_and_addresses(self) -> None:
        resource = patient(address=[{"line": ["12 Lê Lợi"], "city": "Huế", "postalCode": "530000"}])
        assert told(resource) == {"Nguyễn", "Văn", "An", "12 Lê Lợi", "Huế"}

    def test_what_holds_no_words(self) -> None:
        resource = observation(
            id="x", identifier=[{"value": "7"}], valueQuantity={"value": 1, "unit": "mg"}, meta={"source": "urn:x"}
        )
        assert told(resource) == set()

    def test_what_is_contained_and_in_extensions(self) -> None:
        resource = patient(
            name=[],
            contained=[
                {"resourceType": "Organization", "id": "o", "name": "Khoa Nội", "text": {"div": "<div>Nhà A</div>"}}
            ],
            extension=[{"url": "http://x", "valueString": "Kinh"}],
        )
        assert told(resource) == {"Khoa Nội", "Nhà A", "Kinh"}

    def test_every_type_can_be_read(self) -> None:
        for name in model.resource_types():
            assert list(texts(name, {"resourceType": name})) == []
