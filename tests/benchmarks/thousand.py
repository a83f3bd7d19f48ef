"""The rehearsal: a thousand hospitals onboarded, migrated, probed; one moved, one rewound, one gone to another platform.

`python -m tests.benchmarks thousand [--fleet 1000] [--keycloak] [--minio] [--doors 3]`; figures as each step ends.
"""

from collections.abc import Callable
from typing import Final

from tests.benchmarks.load import Result
from tests.benchmarks.machine import measured
from tests.benchmarks.rehearsal import acts
from tests.benchmarks.rehearsal.city import City, Wanted, city

_BEFORE: Final[tuple[Callable[[City], None], ...]] = (acts.onboard, acts.migrate)
_SERVED: Final[tuple[Callable[[City], None], ...]] = (acts.probe_all, acts.move, acts.rewind, acts.leave, acts.stand)


def thousand(wanted: Wanted) -> list[Result]:
    """All of it; raises at the first thing that is not as it must be."""
    with measured([]) as spent, city(wanted) as made:
        for act in _BEFORE:
            _do(act, made)
        with made.served():
            for act in _SERVED:
                _do(act, made)
        figures = made.figures
    figures["others_cores"] = round(spent.others, 2)
    beside = [name for name, there in (("Keycloak", wanted.keycloak), ("MinIO", wanted.minio)) if there]
    what = f"{wanted.number} hospitals, {' and '.join(['PostgreSQL', *beside])}"
    return [Result("thousand", what, figures)]


def _do(act: Callable[[City], None], made: City) -> None:
    before = set(made.figures)
    act(made)
    told = {name: value for name, value in made.figures.items() if name not in before}
    print(act.__name__, told, flush=True)
