"""Scopes in words that a nurse understands. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from emr.access.scopes import Scope, scope_of
from emr.identity.app_grants import Lasting
from emr.web.i18n import mark
from emr.web.things import THINGS

_THINGS: Final = {"*": mark("mọi loại dữ liệu"), **THINGS}
_VERBS: Final = (
    ("rs", mark("Xem")),
    ("c", mark("Thêm")),
    ("u", mark("Sửa")),
    ("d", mark("Xóa")),
)
HOW_LONG: Final[dict[Lasting, str]] = {
    "no": mark("15 phút, rồi phải hỏi lại bạn."),
    "online": mark("Cho đến khi bạn đăng xuất."),
    "offline": mark("90 ngày, cả khi bạn không đăng nhập. Bạn thu hồi được bất cứ lúc nào."),
}


@dataclass(frozen=True)
class Line:
    """One line of what an app asks for: a verb, what of, and whether it changes something."""

    verb: str
    things: tuple[str, ...]
    changes: bool


@dataclass(frozen=True)
class Wish:
    """What an app asks for. `whose`: of one patient, or of everybody whom the user may see."""

    whose: str
    lines: tuple[Line, ...]


def wishes(scopes: Iterable[str]) -> tuple[Wish, ...]:
    """Scopes about resources in words, those about one patient first. A type without a word of ours says its own."""
    given = [scope for text in scopes if (scope := scope_of(text)) is not None]
    # One scope about the patient binds the whole token to the patient, and so the words.
    bound = any(scope.context == "patient" for scope in given)
    found: dict[str, dict[str, set[str]]] = {"patient": {}, "user": {}}
    for scope in given:
        for letters, verb in _VERBS:
            if set(letters) & set(scope.rights):
                context = "patient" if bound else "user"
                found[context].setdefault(verb, set()).add(_thing(scope))
    whose = {"patient": mark("Chỉ của người bệnh này"), "user": mark("Của mọi người bệnh mà bạn được xem")}
    return tuple(
        Wish(whose[context], tuple(_line(verb, types) for _, verb in _VERBS if (types := verbs.get(verb))))
        for context, verbs in found.items()
        if verbs
    )


def _thing(scope: Scope) -> str:
    """A type, or what of it: `Observation (category: laboratory)`, the codes without their systems."""
    codes = ", ".join(f"{name}: {_codes(value)}" for name, value in scope.where)
    return f"{scope.type} ({codes})" if codes else scope.type


def _codes(value: str) -> str:
    return ", ".join(each.rpartition("|")[2] for each in value.split(","))


def _line(verb: str, types: set[str]) -> Line:
    named = {"*"} if "*" in types else types
    order = list(_THINGS)
    known = sorted((each for each in named if each in _THINGS), key=order.index)
    own = sorted(each for each in named if each not in _THINGS)
    return Line(verb, tuple(_THINGS[each] for each in known) + tuple(own), verb != _VERBS[0][1])
