"""Fairness: one hospital asks ten times its quota; how much longer do the others wait?"""

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks import mixes
from tests.benchmarks.load import Request, Result, sample
from tests.benchmarks.machine import measured
from tests.benchmarks.service import Service
from tests.house import CAU_VONG

_QUOTA = 40
_SECONDS = 6
_ROUNDS = 3
_FLOODERS = 16
_NEIGHBOURS = 8
_NEIGHBOUR_DELAY = 40
_HERE = Path(__file__).parent
_SET = (
    "UPDATE directory.tenants SET definition = jsonb_set(definition, '{quotas,requests_per_second}', to_jsonb(%s::int))"
    " WHERE slug = %s"
)


def fairness(standing: Service) -> list[Result]:
    """The neighbour's times with the other hospital silent, at its quota and at ten times of it, in turns."""
    standing.house.sql(_SET, _QUOTA, CAU_VONG)
    time.sleep(2)
    neighbour = [each for each in mixes.reads(standing.house) if each[2].startswith("/h/hoa-sen/")]
    flood: list[Request] = [(1, "GET", f"/h/{CAU_VONG}/fhir/Patient?_count=20", "-")]
    times: dict[int, list[dict[str, float]]] = {0: [], 1: [], 10: []}
    try:
        for _ in range(_ROUNDS):
            for factor, kept in times.items():
                kept.append(_round(standing, sample(neighbour, 300), flood, factor))
    finally:
        standing.house.sql(_SET, 0, CAU_VONG)
    middle = {
        factor: {key: statistics.median(each[key] for each in kept) for key in kept[0]}
        for factor, kept in times.items()
    }
    figures = {f"p95_ms_at_{factor}": round(each["p95"], 2) for factor, each in middle.items()}
    figures["p95_rise_percent"] = round(100 * (middle[10]["p95"] / middle[1]["p95"] - 1), 1)
    figures["let_in_per_second_at_10"] = round(middle[10]["let_in"], 1)
    figures["refused_per_second_at_10"] = round(middle[10]["refused"], 1)
    figures["others_cores"] = round(middle[10]["others"], 2)
    return [Result("fairness", f"a hospital of {_QUOTA}/s at ten times its quota, the neighbour's p95", figures)]


def _round(standing: Service, neighbour: list[Request], flood: list[Request], factor: int) -> dict[str, float]:
    """One stretch of time: the neighbour's percentiles, and what became of the other's requests."""
    with measured(standing.roots) as spent:
        flooding = None
        if factor:
            delay = 1000 * _FLOODERS // (_QUOTA * factor)
            flooding = _paced(standing, flood, CAU_VONG, clients=_FLOODERS, delay=delay)
        asking = _paced(standing, neighbour, "hoa-sen", clients=_NEIGHBOURS, delay=_NEIGHBOUR_DELAY)
        said = _ended(asking)
        other = _ended(flooding) if flooding else {"requests": 0, "refused": 0, "seconds": 1}
    let_in = (other["requests"] - other["refused"]) / other["seconds"]
    return said | {"let_in": let_in, "refused": other["refused"] / other["seconds"], "others": spent.others}


def _paced(standing: Service, mix: list[Request], slug: str, *, clients: int, delay: int) -> "subprocess.Popen[str]":
    folder = Path(tempfile.mkdtemp(prefix="emr-paced-"))
    asked, tokens = folder / "mix", folder / "tokens"
    asked.write_text("".join(f"{weight} {method} {path} {body}\n" for weight, method, path, body in mix), "utf-8")
    tokens.write_text(f"{slug} {standing.house.token(slug=slug)}\n", "utf-8")
    environment = os.environ | {
        "MIX": str(asked),
        "TOKENS": str(tokens),
        "DRIVE": str(_HERE / "drive.lua"),
        "DELAY": str(delay),
    }
    command = ["wrk", "-t", "1", "-c", str(clients), "-d", f"{_SECONDS}s", "-s", str(_HERE / "paced.lua")]
    return subprocess.Popen([*command, standing.house.url], env=environment, stdout=subprocess.PIPE, text=True)


def _ended(running: "subprocess.Popen[str]") -> dict[str, float]:
    out, _ = running.communicate(timeout=_SECONDS + 30)
    said: dict[str, float] = json.loads(out.rsplit("RESULT ", 1)[1])
    return said
