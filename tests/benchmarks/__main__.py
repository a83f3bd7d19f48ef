"""Run the benchmarks, print tables, write bench.json: `python -m tests.benchmarks [B1 B2 …] [--times 1,4,16] [--hospitals 1,20,200]`.

`--times`: how many times one hospital takes in the sample data; several sizes are measured one after the other while it grows. `--hospitals`:
how many hold data, over which B1 is spread; for each number a service of its own. Beside them stands an empty one, which takes the import. `--fleet`: how many hospitals B10 makes in a database of its own, and
`thousand`, the rehearsal, which takes long and runs only when it is named; `--keycloak`, `--minio`: with real ones; `--doors`: so many of its hospitals have every door tried.
"""

import argparse
import gzip
import time
from collections.abc import Callable, Sequence

from tests.benchmarks import mixes, single
from tests.benchmarks.auditing import auditing
from tests.benchmarks.bulk import bulk
from tests.benchmarks.fairness import fairness
from tests.benchmarks.fleet import fleet
from tests.benchmarks.ingest import ingest
from tests.benchmarks.load import Result, drive
from tests.benchmarks.machine import children, memory_mib
from tests.benchmarks.rehearsal.city import Wanted
from tests.benchmarks.report import Round, Scale, keep, show, show_sizes
from tests.benchmarks.searches import lists, samples, searches
from tests.benchmarks.service import Service, service
from tests.benchmarks.thousand import thousand
from tests.benchmarks.validating import validating
from tests.house import ROOT

_STATIC = ROOT / "platform" / "emr" / "web" / "static"


def main() -> None:
    """Run what was chosen at every size, each on a service that holds so much."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("chosen", nargs="*", default=[*_RUNS, "B7", "B10", "B15", "B16"])
    parser.add_argument("--fleet", type=int, default=1000)
    parser.add_argument("--times", type=_numbers, default=(1,))
    parser.add_argument("--hospitals", type=_numbers, default=(1,))
    for server in ("--keycloak", "--minio"):
        parser.add_argument(server, action="store_true")
    parser.add_argument("--doors", type=int, default=3)
    asked = parser.parse_args()
    rounds: list[Round] = []
    for hospitals in asked.hospitals if set(asked.chosen) - {"B10", "thousand"} else ():
        with service(hospitals=hospitals + 1) as standing:
            taken = 0
            for times in asked.times:
                done = _round(standing, asked.chosen, Scale(times, hospitals), taken)
                taken = times
                rounds.append(done)
                show(done)
                # What was measured is kept, also when a later size is cut off.
                keep(rounds)
    wanted = Wanted(asked.fleet, asked.keycloak, asked.minio, asked.doors)
    fleets = {"B10": lambda: fleet(asked.fleet), "thousand": lambda: thousand(wanted)}
    for name in fleets.keys() & set(asked.chosen):
        begun = time.monotonic()
        done = Round(Scale(1, asked.fleet), fleets[name](), time.monotonic() - begun)
        show(done)
        keep([*rounds, done])
    if len(rounds) > 1:
        show_sizes(rounds)


def _numbers(text: str) -> tuple[int, ...]:
    """Sizes from the smallest on, such as `1,4,16`."""
    return tuple(sorted({int(each) for each in text.split(",") if int(each) > 0}))


def _round(standing: Service, chosen: Sequence[str], scale: Scale, taken: int) -> Round:
    begun = time.monotonic()
    results = [Result("B16", "emr serve until ready", {"seconds": round(standing.ready_seconds, 2)})]
    results.append(ingest(standing, scale.times, taken))
    # What the ingest left to be written is written now, and not while something else is measured.
    standing.house.sql("VACUUM ANALYZE")
    standing.house.sql("CHECKPOINT")
    for name, run in _RUNS.items():
        if name in chosen:
            results += run(standing)
    results += [_memory(standing), _weight()]
    return Round(scale, [each for each in results if each.id in chosen], time.monotonic() - begun)


def _reads(standing: Service) -> list[Result]:
    return [drive("B1", "read one resource by id", standing, mixes.reads(standing.house))]


def _searches(standing: Service) -> list[Result]:
    with standing.house.client() as client:
        asked = searches(samples(client))
    return [
        drive("B3", "thirty-six searches, evenly mixed", standing, mixes.asked(asked)),
        single.each_search(standing, asked),
    ]


def _chart(standing: Service) -> list[Result]:
    driven = drive("B4", "patient chart, six requests", standing, mixes.chart(standing.house))
    return [driven, single.page(standing)]


def _popular(standing: Service) -> list[Result]:
    with standing.house.client() as client:
        asked = searches(samples(client))
    chosen = {name: asked[name] for name in ("popular code", "count of a code")}
    return [drive("B5", "popular code, newest first; counted", standing, mixes.asked(chosen))]


def _across(standing: Service) -> list[Result]:
    with standing.house.client() as client:
        known = samples(client)
    asked = searches(known)
    names = ("observations of a name", "code of the old", "patients with a result", "patients with a problem")
    chosen = {name: asked[name] for name in names}
    return [
        drive("B6", "chains and _has", standing, mixes.asked(chosen)),
        single.each_search(standing, chosen).called("B6", "chains and _has, each alone"),
        single.each_list(standing, lists(known)),
    ]


def _conditional(standing: Service) -> list[Result]:
    hot = drive("B9", "conditional update, 1,000 hot keys", standing, mixes.conditional(standing.house))
    return [hot, single.race(standing)]


def _everything(standing: Service) -> list[Result]:
    asked = mixes.everything(single.patients(standing.house))
    return [drive("B14", "$everything", standing, asked, clients=8), single.first_byte(standing)]


def _mixed(standing: Service) -> list[Result]:
    return [drive("B2", "create 10, read 60, update 25, delete 5", standing, mixes.mixed(standing.house))]


_RUNS: dict[str, Callable[[Service], list[Result]]] = {
    "B1": _reads,
    "B3": _searches,
    "B4": _chart,
    "B5": _popular,
    "B6": _across,
    "B14": _everything,
    "B8": bulk,
    "B9": _conditional,
    "validate": lambda _standing: validating(),
    "B2": _mixed,
    "audit": auditing,
    "fairness": fairness,
}
"""In this order: what only reads stands before what writes."""


def _memory(standing: Service) -> Result:
    workers = [pid for pid in children(standing.process.pid) if memory_mib(pid) > 50]
    return Result("B16", "memory of a worker process", {"mib": round(max(map(memory_mib, workers)), 1)})


def _weight() -> Result:
    """B15: what a first visit loads, gzip-compressed, in KB of 1,000 bytes."""
    sizes = {
        path.name: len(gzip.compress(path.read_bytes(), 9)) / 1000
        for path in _STATIC.rglob("*.[cj]s*")
        if path.is_file()
    }
    script = sum(size for name, size in sizes.items() if name.endswith(".js"))
    style = sum(size for name, size in sizes.items() if name.endswith(".css"))
    return Result("B15", "built browser code, gzip", {"script_kb": round(script, 1), "style_kb": round(style, 1)})


if __name__ == "__main__":
    main()
