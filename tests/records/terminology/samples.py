"""Code lists that a hospital might keep; `one` makes their names its own."""

from typing import Any

Json = dict[str, Any]


def code_list(one: str, **more: Any) -> Json:
    """A over A1 over A11, A over A2, and B alone."""
    return {
        "resourceType": "CodeSystem",
        "url": f"urn:test:cs:{one}",
        "version": "1",
        "name": "Departments",
        "status": "active",
        "content": "complete",
        "caseSensitive": True,
        "hierarchyMeaning": "is-a",
        "concept": [
            {
                "code": "A",
                "display": "Khoa Nội",
                "concept": [
                    {
                        "code": "A1",
                        "display": "Khoa Nội tim mạch",
                        "concept": [{"code": "A11", "display": "Phòng điện tim"}],
                    },
                    {"code": "A2", "display": "Khoa Nội tiết"},
                ],
            },
            {"code": "B", "display": "Khoa Ngoại đường tiêu hóa"},
        ],
    } | more


def value_set(one: str, *include: Json, **more: Any) -> Json:
    """A value set of these parts."""
    compose = {"include": list(include)} | more.pop("compose", {})
    return {
        "resourceType": "ValueSet",
        "url": f"urn:test:vs:{one}",
        "status": "active",
        "compose": compose,
    } | more


def whole(one: str, **more: Any) -> Json:
    """Every code of the list of the same name."""
    return value_set(one, {"system": f"urn:test:cs:{one}"}, **more)


def concept_map(one: str, **more: Any) -> Json:
    """A1 to something wider, B to nothing."""
    return {
        "resourceType": "ConceptMap",
        "url": f"urn:test:cm:{one}",
        "status": "active",
        "group": [
            {
                "source": f"urn:test:cs:{one}",
                "target": f"urn:test:other:{one}",
                "element": [
                    {"code": "A1", "target": [{"code": "TM", "equivalence": "wider"}]},
                    {"code": "B", "target": [{"equivalence": "unmatched", "comment": "Không có"}]},
                ],
            }
        ],
    } | more
