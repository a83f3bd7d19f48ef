"""The verdict on an answer: what it gives away, compared with what everybody gets for nothing."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from emr.border.knocking import Answer
from emr.border.secrets import Marks

SHUT: Final = 403
NOT_KNOWN: Final = frozenset({401, 303})
"""What somebody without a session is told: sign in."""
_OWN: Final = frozenset({"x-request-id", "date", "content-length", "server-timing"})
_REQUEST_ID: Final = "x-request-id"
_SIGN_IN: Final = re.compile(r"/(auth/sign-in.*)?")

Told = tuple[int, tuple[tuple[str, str], ...], str]


def told(answer: Answer, sent: Iterable[str] = ()) -> Told:
    """An answer without what is each request's own: its id, its date, and the ids that were `sent`."""
    body = answer.body.decode("latin-1").replace(answer.headers.get(_REQUEST_ID, "\0"), "REQUEST")
    for each in sorted(sent, key=len, reverse=True):
        body = body.replace(each, "ID")
    headers = tuple(sorted((name, value) for name, value in answer.headers.items() if name not in _OWN))
    return answer.status, headers, body


def why_red(answer: Answer, marks: Marks, *, usual: Told | None, public: bool) -> str | None:
    """What is wrong with an answer to an outsider, as a stable code; None when nothing is.

    `usual` is what this outsider is told at every door of this kind; None for somebody without a session, who is sent
    away to sign in.
    """
    if marks.betrayed_by(answer.text):
        return "canary-seen"
    if answer.status >= 500:
        return "failed"
    if public:
        return None
    if usual is None:
        sent_away = answer.status != 303 or _SIGN_IN.match(answer.headers.get("location", ""))
        return None if answer.status in NOT_KNOWN and sent_away else "not-sent-away"
    return None if told(answer) == usual and answer.status == SHUT else "not-shut"


def why_told_apart(theirs: Answer, nobodys: Answer, marks: Marks, sent: tuple[Mapping[str, str], ...]) -> str | None:
    """The same for one's own door, asked for another hospital's things and for things that never were."""
    if marks.betrayed_by(theirs.text):
        return "canary-seen"
    if theirs.status >= 500:
        return "failed"
    first, second = (told(answer, ids.values()) for answer, ids in zip((theirs, nobodys), sent, strict=True))
    return None if first == second else "told-apart"
