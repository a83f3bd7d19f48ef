"""JSON Patch (RFC 6902) of a resource: what the library does, within bounds and with refusals of ours."""

from typing import Any, Final

from jsonpatch import InvalidJsonPatch, JsonPatch, JsonPatchException, JsonPatchTestFailed
from jsonpointer import JsonPointer, JsonPointerException

from emr.kernel import json
from emr.kernel.errors import Invalid, Malformed, TooLarge

OPERATIONS_MOST: Final = 1_000
COPIED_MOST: Final = 1024 * 1024
"""Bytes that the copies of one patch may make in all: each can double what the one before has made."""
_VERBS: Final = frozenset({"add", "remove", "replace", "move", "copy", "test"})

Json = dict[str, Any]


def operations_of(content: bytes) -> list[Json]:
    """The operations of a JSON Patch document, read by the same strict rules as a resource.

    Raises `Malformed` for what is no such document, `TooLarge`.
    """
    # The codec reads objects: the list is read as the one member of one, and may not bring others along.
    read = json.parse(b'{"patch":' + content + b"}").value
    operations = read["patch"]
    if read.keys() != {"patch"} or type(operations) is not list:
        raise Malformed("patch-form", "A JSON Patch is a list of operations (RFC 6902).")
    if len(operations) > OPERATIONS_MOST:
        raise TooLarge("patch-too-long", f"A patch has at most {OPERATIONS_MOST} operations.")
    for number, each in enumerate(operations):
        if type(each) is not dict or any(type(each.get(name)) is not str for name in ("op", "path")):
            raise Malformed("patch-form", "An operation has an op and a path, both text.", location=_place(number))
        if each["op"] not in _VERBS:
            rule = "An op is add, remove, replace, move, copy or test."
            raise Malformed("patch-form", rule, location=_place(number))
    return operations


def apply_json_patch(resource: Json, operations: list[Json]) -> Json:
    """The resource after all operations; what was given is changed on the way.

    Raises `Malformed` for an operation that cannot be read (400), `Invalid` for one that cannot be done with this
    resource or a test that fails (422; RFC 6902, section 5, and FHIR R4, http.html#patch), `TooLarge`.
    """
    copied = 0
    for number, operation in enumerate(operations):
        try:
            if operation["op"] == "copy":
                copied += _size(resource, operation)
                if copied > COPIED_MOST:
                    raise TooLarge("patch-copies", f"A patch copies at most {COPIED_MOST} bytes.")
            resource = JsonPatch([operation]).apply(resource, in_place=True)
        except JsonPatchTestFailed as error:
            raise Invalid("patch-test-failed", "The test does not hold.", location=_place(number)) from error
        except (InvalidJsonPatch, TypeError) as error:
            raise Malformed("patch-form", "The operation lacks a part.", location=_place(number)) from error
        except (JsonPatchException, JsonPointerException) as error:
            rule = "The operation does not fit the resource: its path leads nowhere."
            raise Invalid("patch-path", rule, location=_place(number)) from error
        if type(resource) is not dict:
            raise Invalid("patch-path", "A resource stays an object.", location=_place(number))
    return resource


def _size(resource: Json, operation: Json) -> int:
    """Bytes of what a copy copies."""
    source = operation.get("from")
    if type(source) is not str:
        raise InvalidJsonPatch("from")
    return len(json.dumps(JsonPointer(source).resolve(resource)))


def _place(number: int) -> str:
    return f"patch[{number}]"
