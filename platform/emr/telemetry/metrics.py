"""Every metric of the platform, in one registry: `emr_<subsystem>_<what>_<unit>`.

A hospital is a label only on metrics without a route, and only with a slug that the registry knows: routes × hospitals
× buckets would be more than a million series for each process.
"""

from typing import Final, Protocol
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from emr.telemetry.traffic import BOUNDS

REGISTRY: Final = CollectorRegistry(auto_describe=False)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_FAST: Final = BOUNDS
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_MOST_HOSPITALS: Final = 400

HTTP_SECONDS: Final = Histogram(
    "emr_http_request_duration_seconds",
    "Time from a request's first byte to the last of its answer.",
    ("method", "route", "status"),
    buckets=_FAST,
    registry=REGISTRY,
)
HTTP_HOSPITAL_SECONDS: Final = Histogram(
    "emr_http_hospital_duration_seconds",
    "The same by hospital and by class of answer (2xx, 3xx, 4xx, 5xx).",
    ("hospital", "class"),
    buckets=_FAST,
    registry=REGISTRY,
)
HTTP_RUNNING: Final = Gauge("emr_http_requests_running_count", "Requests that are being answered.", registry=REGISTRY)
THROTTLED: Final = Counter(
    "emr_http_throttled_requests",
    "Requests that were refused because their hospital was over a quota.",
    ("hospital", "quota"),
    registry=REGISTRY,
)
QUOTA_USED: Final = Gauge(
    "emr_hospital_quota_used_ratio",
    "How much of a quota a hospital uses, 1 for all of it: of storage, of users.",
    ("hospital", "quota"),
    registry=REGISTRY,
)
USE_CASE_SECONDS: Final = Histogram(
    "emr_use_case_duration_seconds",
    "Time of one use case; outcome is ok, a refusal's class, or failed.",
    ("use_case", "outcome"),
    buckets=_FAST,
    registry=REGISTRY,
)
DB_POOL: Final = Gauge(
    "emr_db_pool_connections_count", "Connections of a pool: open, and idle among them.", ("pool", "state"),
    registry=REGISTRY,
)  # fmt: skip
DB_HOSPITALS: Final = Gauge(
    "emr_db_connection_hospitals_count", "Hospitals that the connection has served that has served the most.",
    ("pool",), registry=REGISTRY,
)  # fmt: skip
DB_RETIRED: Final = Gauge(
    "emr_db_connections_retired_count", "Connections closed since the start for having served as many as they may.",
    ("pool",), registry=REGISTRY,
)  # fmt: skip
AUDIT_GROUP_ROWS: Final = Histogram(
    "emr_audit_group_rows",
    "Audit rows that were committed together.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 1024),
    registry=REGISTRY,
)
AUDIT_COMMIT_SECONDS: Final = Histogram(
    "emr_audit_commit_seconds", "Time to commit one group of audit rows.", buckets=_FAST, registry=REGISTRY
)
AUDIT_SEALED_ROWS: Final = Counter(
    "emr_audit_sealed_rows", "Audit rows that were sealed.", ("hospital",), registry=REGISTRY
)
AUDIT_SEAL_LAG_SECONDS: Final = Gauge(
    "emr_audit_seal_lag_seconds", "Age of the oldest audit row that no seal covers.", ("cell",), registry=REGISTRY
)
AUDIT_ANCHOR_LAG_SECONDS: Final = Gauge(
    "emr_audit_anchor_lag_seconds", "Age of the newest anchor of a cell's trails.", ("cell",), registry=REGISTRY
)
OUTBOX_LAG_SECONDS: Final = Gauge(
    "emr_outbox_lag_seconds", "Age of the oldest pointer without a receipt.", ("cell",), registry=REGISTRY
)
OUTBOX_ROWS: Final = Gauge(
    "emr_outbox_pending_rows",
    "Pointers without a receipt, counted up to 100,000.",
    ("cell",),
    registry=REGISTRY,
)
OUTBOX_BROKEN_ROWS: Final = Gauge(
    "emr_outbox_broken_rows", "Pointers that were set aside, counted up to 100,000.", ("cell",), registry=REGISTRY
)
WAREHOUSE_DELIVERED_ROWS: Final = Counter(
    "emr_warehouse_delivered_rows", "Resource versions with a receipt.", ("hospital",), registry=REGISTRY
)
WAREHOUSE_BATCH_SECONDS: Final = Histogram(
    "emr_warehouse_batch_duration_seconds",
    "Time of one batch from claim to receipts.",
    ("outcome",),
    buckets=_SLOW,
    registry=REGISTRY,
)
SUBSCRIPTION_LAG_SECONDS: Final = Gauge(
    "emr_subscription_lag_seconds", "Age of the oldest event that an active endpoint has not taken.", ("cell",),
    registry=REGISTRY,
)  # fmt: skip
SUBSCRIPTION_PENDING_ROWS: Final = Gauge(
    "emr_subscription_pending_rows", "Versions to be looked at and events to be told.", ("cell",), registry=REGISTRY
)
SUBSCRIPTION_STATES: Final = Gauge(
    "emr_subscription_state_count", "Subscriptions whose endpoint fails, and those that are in error.",
    ("cell", "state"), registry=REGISTRY,
)  # fmt: skip
SUBSCRIPTION_CALLS: Final = Counter(
    "emr_subscription_calls", "Calls to endpoints; outcome is taken, or the class of the failure.",
    ("hospital", "kind", "outcome"), registry=REGISTRY,
)  # fmt: skip
BORDER_RED: Final = Gauge(
    "emr_border_red_count", "1 for a hospital whose border light is red or not genuine, else 0.", ("hospital",),
    registry=REGISTRY,
)  # fmt: skip
BORDER_AGE: Final = Gauge(
    "emr_border_age_seconds", "Since a hospital's doors were last tried.", ("hospital",), registry=REGISTRY
)
BACKUP_AGE: Final = Gauge(
    "emr_backup_age_seconds", "Since the newest backup of a cell ended.", ("cell",), registry=REGISTRY
)
BACKUP_FAILED: Final = Gauge(
    "emr_backup_failed_count", "1 for a cell whose last backup failed, else 0.", ("cell",), registry=REGISTRY
)
ARCHIVE_FAILED: Final = Gauge(
    "emr_archive_failed_count", "1 for a cell whose write-ahead log does not arrive in the repository, else 0.",
    ("cell",), registry=REGISTRY,
)  # fmt: skip
REHEARSAL_AGE: Final = Gauge(
    "emr_rehearsal_age_seconds", "Since a hospital of a cell was last restored by rehearsal, and was the same.",
    ("cell",), registry=REGISTRY,
)  # fmt: skip
REHEARSAL_FAILED: Final = Gauge(
    "emr_rehearsal_failed_count", "1 for a cell whose last rehearsal found a difference or broke off, else 0.",
    ("cell",), registry=REGISTRY,
)  # fmt: skip
STORAGE_SECONDS: Final = Histogram(
    "emr_storage_call_duration_seconds",
    "Time of one call of the object store.",
    ("verb", "outcome"),
    buckets=_FAST,
    registry=REGISTRY,
)
DICOM_SECONDS: Final = Histogram(
    "emr_dicom_operation_duration_seconds",
    "Time of one DIMSE operation; status is the DIMSE class, such as success or refused.",
    ("operation", "status"),
    buckets=_SLOW,
    registry=REGISTRY,
)
JOB_SECONDS: Final = Histogram(
    "emr_job_duration_seconds", "Time of one turn of a job.", ("job", "outcome"), buckets=_SLOW, registry=REGISTRY
)
JOB_LAST_SUCCESS: Final = Gauge(
    "emr_job_last_success_timestamp_seconds", "When a job last ended well.", ("job",), registry=REGISTRY
)
JOB_HOSPITAL_FAILURES: Final = Counter(
    "emr_job_hospital_failures_total",
    "Turns of a job that failed at one hospital.",
    ("job", "hospital"),
    registry=REGISTRY,
)

_PROCESS: Final = (
    ProcessCollector(registry=REGISTRY),
    PlatformCollector(registry=REGISTRY),
    GCCollector(registry=REGISTRY),
)
_hospitals: Final[set[str]] = set()
# Looking a child up by its labels takes longer than observing it.
_requests: Final[dict[tuple[str, str, int], Histogram]] = {}
_by_hospital: Final[dict[tuple[str, str], Histogram]] = {}
_use_cases: Final[dict[tuple[str, str], Histogram]] = {}
_pools: "Final[dict[str, WeakSet[Pool]]]" = {}


def hospital_label(slug: str | None) -> str:
    """A hospital as a label: `none` outside of any, `other` beyond the number that a cell may hold."""
    if slug is None:
        return "none"
    if slug not in _hospitals:
        if len(_hospitals) >= _MOST_HOSPITALS:
            return "other"
        _hospitals.add(slug)
    return slug


def http_request(method: str, route: str, status: int, seconds: float) -> None:
    """One answered request. `route` is a template."""
    key = (method, route, status)
    child = _requests.get(key)
    if child is None:
        child = _requests[key] = HTTP_SECONDS.labels(method, route, str(status))
    child.observe(seconds)


def http_hospital(slug: str | None, answer: str, seconds: float) -> None:
    """The same request as its hospital's; `answer` is 2xx, 3xx, 4xx or 5xx."""
    key = (hospital_label(slug), answer)
    child = _by_hospital.get(key)
    if child is None:
        child = _by_hospital[key] = HTTP_HOSPITAL_SECONDS.labels(*key)
    child.observe(seconds)


class Pool(Protocol):
    """Something that holds connections."""

    def open_connections(self) -> int:
        """How many it has."""
        ...

    def idle_connections(self) -> int:
        """How many of them nobody uses."""
        ...

    def most_known(self) -> int:
        """How many hospitals the connection has served that has served the most."""
        ...

    def retired(self) -> int:
        """How many were closed because they had served too many."""
        ...


def watch_pool(name: str, pool: Pool) -> None:
    """Show a pool's connections, asked at each scrape and added up over pools of one name, while the pool lives."""
    if name not in _pools:
        living = _pools[name] = WeakSet()
        DB_POOL.labels(name, "open").set_function(lambda: float(sum(each.open_connections() for each in living)))
        DB_POOL.labels(name, "idle").set_function(lambda: float(sum(each.idle_connections() for each in living)))
        DB_HOSPITALS.labels(name).set_function(lambda: float(max((each.most_known() for each in living), default=0)))
        DB_RETIRED.labels(name).set_function(lambda: float(sum(each.retired() for each in living)))
    _pools[name].add(pool)


def use_case(name: str, outcome: str, seconds: float) -> None:
    """One use case; `outcome` is ok, the class of a refusal, or failed."""
    key = (name, outcome)
    child = _use_cases.get(key)
    if child is None:
        child = _use_cases[key] = USE_CASE_SECONDS.labels(*key)
    child.observe(seconds)


def subscription_call(slug: str, kind: str, reason: str | None) -> None:
    """One call to an endpoint; `reason` is its stable code, None when it was taken."""
    outcome = "taken" if reason is None else "status" if reason.startswith("status-") else reason
    SUBSCRIPTION_CALLS.labels(hospital_label(slug), kind, outcome).inc()


def storage_call(verb: str, seconds: float, outcome: str) -> None:
    """One call of the object store: put, get, head, delete or list; ok, missing or failed."""
    STORAGE_SECONDS.labels(verb, outcome).observe(seconds)


def exposition() -> bytes:
    """Everything in Prometheus's text format."""
    return generate_latest(REGISTRY)
