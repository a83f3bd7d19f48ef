"""Whether the columns of a stored row are what its text says, compared as bytes: what a verifier does for every row."""

from datetime import datetime
from typing import Final

from emr.audit.rows import Event, event_of

Encoded = tuple[int, datetime, bytes, bytes, list[bytes], bytes]
"""A sealed row as a verifier reads it: number, at, action, actor, patients and its text, all texts in UTF-8."""

_ACTOR_END: Final = b'"},"at":"'
_MOMENT: Final = len("2026-11-22T03:04:05.678901Z")
_AFTER_MOMENT: Final = b'","detail":'
_PATIENTS_END: Final = b'],"request":"'
_END: Final = b',"v":1}'


def encoded(event: Event) -> Encoded:
    """The row as a verifier reads it."""
    number, at, action, actor, patients, text = event
    return number, at, action.encode(), actor.encode(), [each.encode() for each in patients], text.encode()


def follow(row: Encoded) -> bool:
    """Whether its columns follow from its text. Raises `Unreadable` for a text that no row can have.

    Nearly all rows have a person and no escape; their columns are looked for where the text must have them, which costs
    a third of parsing it. So a text is parsed, and refused if it is no row, only where something is not in its place.
    """
    try:
        if _in_place(row):
            return True
        number, at, action, actor, patients, text = row
        stored = number, at, action.decode(), actor.decode(), [each.decode() for each in patients], text.decode()
    except (ValueError, TypeError):
        return _parsed(row)
    return event_of(number, stored[-1]) == stored


def _parsed(row: Encoded) -> bool:
    """Columns that are not even text follow from none."""
    event_of(row[0], row[-1].decode(errors="surrogateescape"))
    return False


def _in_place(row: Encoded) -> bool:
    """Whether a text without escapes has the columns in their places; False where that cannot be told at once.

    The keys of a row are sorted. Where `"},"at":"` stands once it is the end of the actor, whose members are all texts.
    Behind the patients there are only texts and lists of them: the last `],"request":"` is the patients' end. A column
    with a quotation mark could lie about these places.
    """
    _, at, action, actor, patients, text = row
    names = b'","'.join(patients)
    if b"\\" in text or b'"' in action or b'"' in actor or names.count(b'"') > 2 * max(len(patients) - 1, 0):
        return False
    actor_end, patients_end = text.find(_ACTOR_END), text.rfind(_PATIENTS_END)
    if text.rfind(_ACTOR_END) != actor_end:
        return False
    moment = actor_end + len(_ACTOR_END)
    return (
        text.startswith(b'{"action":"%b","actor":{' % action)
        and text.endswith(b'"subject":"%b' % actor, 0, actor_end)
        and text.startswith(_AFTER_MOMENT, moment + _MOMENT)
        and datetime.fromisoformat(text[moment : moment + _MOMENT].decode()) == at
        and text.endswith(b',"patients":["%b"' % names if patients else b',"patients":[', moment, patients_end)
        and text.endswith(_END)
    )
