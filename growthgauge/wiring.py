"""Settings to the plain values that the inner rings take."""

from __future__ import annotations

import datetime as dt
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from aggregators.calendar import Zone, day_of
from aggregators.metrics import MetricSettings
from aggregators.rates import Rates, RatesError
from aggregators.rules import Rules, whole_weights
from exporters.server import ExporterConfig
from growthgauge import __version__
from growthgauge.errors import WrongUsage
from growthgauge.settings import Settings
from streams.worker.config import WorkerConfig

HOUR_MS = 3_600_000
WORKER_BYTES = 4 << 20
"""At most read of a worker's metrics."""
WORKER_SECONDS = 2
"""For which they are kept."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks without a proxy: what is asked is near."""


def rules(settings: Settings) -> Rules:
    """Give what the folds read."""
    return Rules(
        zone=Zone(settings.time_zone),
        lapse_grace_days=settings.lapse_grace_days,
        purchase_lapse_days=settings.purchase_lapse_days,
        dedupe_days=settings.dedupe_days,
        dimensions=settings.dimensions,
        health_weights=whole_weights(settings.health_weights),
        health_users=settings.health_users,
        health_features=settings.health_features,
    )


def rates(settings: Settings) -> Rates:
    """Read the rates file.

    Raises:
        WrongUsage: it is not there or not a table of rates.
    """
    path = settings.rates_file
    if path is None:
        return Rates(settings.reporting_currency)
    try:
        return Rates.parse(path.read_bytes(), str(path), settings.reporting_currency)
    except RatesError as error:
        raise WrongUsage(f"The rates file {error}.") from None
    except FileNotFoundError:
        raise WrongUsage(f"There is no rates file {path}: check the setting rates_file.") from None
    except OSError as error:
        raise WrongUsage(f"The rates file {path} cannot be read: {error.strerror}.") from None


def metric_settings(settings: Settings) -> MetricSettings:
    """Give what the metrics read beside the facts.

    Raises:
        WrongUsage: the rates file is not usable.
    """
    return MetricSettings(
        zone=Zone(settings.time_zone),
        rates=rates(settings),
        gross_margin=Fraction(settings.gross_margin),
        dimensions=settings.dimensions,
        segment_periods=settings.segment_periods,
        segment_limit=settings.segment_limit,
        cohort_months=settings.cohort_months,
        targets=settings.targets,
        version=__version__,
    )


def worker_config(settings: Settings) -> WorkerConfig:
    """Give what a worker has to know."""
    its_rules = rules(settings)
    return WorkerConfig(
        broker=settings.broker,
        group=settings.group,
        topics=settings.topics,
        dead_letters=settings.topic_dead_letters,
        partitions=settings.partitions,
        rules=its_rules,
        accept_from=its_rules.zone.start_of(day_of(settings.accept_from)),
        allowed_skew=round(settings.allowed_skew_hours * HOUR_MS),
        host=settings.listen,
        port=settings.worker_port,
        data_dir=str(settings.data_dir.absolute() / "worker"),
    )


def exporter_config(settings: Settings) -> ExporterConfig:
    """Give what an exporter has to know.

    Raises:
        WrongUsage: the rates file is not usable.
    """
    return ExporterConfig(
        today=lambda: today(settings),
        partitions=settings.partitions,
        settings=metric_settings(settings),
        fingerprint=rules(settings).fingerprint(),
        host=settings.listen,
        port=settings.exporter_port,
        ready=_worker_is_ready(settings.worker_url),
        worker_metrics=_worker_metrics(settings.worker_url),
    )


def today(settings: Settings) -> int:
    """Give today's day number in the reporting time zone."""
    return day_of(dt.datetime.now(ZoneInfo(settings.time_zone)).date())


def answers(url: str, seconds: float = 5) -> bool:
    """Say whether an HTTP address answers with success."""
    try:
        with _direct.open(url, timeout=seconds) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _worker_is_ready(url: str | None) -> Callable[[], Sequence[str]]:
    if url is None:
        return tuple
    return lambda: () if answers(url) else (f"The worker at {url} is not ready.",)


def _worker_metrics(url: str | None) -> Callable[[], str | None]:
    """Read a worker's `/metrics`, which is beside its readiness page: not oftener than pages look."""
    if url is None:
        return lambda: None
    address = urljoin(url, "/metrics")

    def read(_: int) -> str | None:
        try:
            with _direct.open(address, timeout=1) as response:
                text: bytes = response.read(WORKER_BYTES)
        except (OSError, urllib.error.URLError, ValueError):
            return None
        return text.decode(errors="replace")

    kept = lru_cache(maxsize=1)(read)
    return lambda: kept(int(time.monotonic() / WORKER_SECONDS))
