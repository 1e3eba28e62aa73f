"""All settings in one class: flags, then environment, then growthgauge.toml, then the defaults below."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from aggregators.events import TYPES, Type
from aggregators.rules import BOUNDS, whole_weights
from growthgauge.errors import WrongUsage
from growthgauge.folder import Folder, candidates

ENV_PREFIX = "GROWTHGAUGE_"
CONFIG_FILE = "growthgauge.toml"

PERIODS = (
    *("day", "week", "month", "quarter", "year"),
    *("previous_day", "previous_week", "previous_month", "previous_quarter", "previous_year"),
    *("7d", "30d", "90d", "365d"),
)
DIMENSIONS = ("plan", "country", "channel", "owner")
HEALTH_WEIGHTS: dict[str, int | float] = {
    "recency": 3,
    "frequency": 2,
    "breadth": 1,
    "adoption": 1,
    "payment": 2,
    "sentiment": 2,
    "tenure": 1,
}

Port = Annotated[int, Field(ge=1, le=65535)]
Names = Annotated[tuple[str, ...], NoDecode]
"""A list of names: JSON, or separated by commas."""


def _bounded(rule: str, default: int | None, description: str) -> Any:
    """Return the field of a setting that is a rule, within the bounds that the rule itself has."""
    least, most = BOUNDS[rule]
    return Field(default, ge=least, le=most, description=description)


class Settings(BaseSettings):
    """Every setting of growthgauge; each is validated before anything starts."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False
    )

    broker: str = Field("127.0.0.1:9092", description="Kafka brokers: host:port, several separated by commas.")
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Redis: redis://[user:password@]host:port/number."
    )
    data_dir: Path = Field(Path(".growthgauge"), description="Folder of what `up` keeps: Redis' data, logs, the demo.")
    listen: str = Field("127.0.0.1", description="Address that the worker's and the exporter's ports are bound to.")
    exporter_port: Port = Field(9108, description="Port of the exporter: /metrics and the page.")
    worker_port: Port = Field(9109, description="Port of the worker: /metrics, /-/healthy, /-/ready.")
    worker_url: str | None = Field(
        None,
        description="URL of a worker's readiness page: the exporter is ready only while it is, and its page shows that "
        "worker's lag.",
    )

    partitions: int = Field(4, ge=1, le=10_000, description="Partitions of every topic, and shards in Redis.")
    topic_signups: str = Field("growth.signups", description="Topic of signups.")
    topic_payments: str = Field("growth.payments", description="Topic of payments.")
    topic_cancellations: str = Field("growth.cancellations", description="Topic of cancellations.")
    topic_sessions: str = Field("growth.sessions", description="Topic of sessions.")
    topic_surveys: str = Field("growth.surveys", description="Topic of surveys.")
    topic_expenses: str = Field("growth.expenses", description="Topic of expenses.")
    topic_dead_letters: str = Field("growth.dead-letters", description="Topic of records that cannot be accepted.")
    group: str = Field("growthgauge", min_length=1, description="Kafka consumer group that the workers share.")
    allowed_skew_hours: float = Field(
        24, ge=0, le=24 * 366, description="Hours that an event may lie after its record's own timestamp."
    )
    accept_from: dt.date = Field(dt.date(1990, 1, 1), description="First day of which events are accepted.")

    time_zone: str = Field("UTC", description="Reporting time zone, an IANA name.")
    lapse_grace_days: int = _bounded("lapse_grace_days", 30, "Days after a coverage's end until it lapses.")
    purchase_lapse_days: int | None = _bounded(
        "purchase_lapse_days", None, "Days after the last payment until a customer without MRR is absent."
    )
    dedupe_days: int = _bounded("dedupe_days", 100, "Days of session ids that a user's ledger keeps.")

    reporting_currency: str = Field("USD", description="ISO 4217 currency of converted amounts.")
    rates_file: Path | None = Field(
        None, description='JSON file of rates, reporting units for one unit: {"EUR": {"2026-01-01": "1.10"}}.'
    )
    gross_margin: Decimal = Field(Decimal(1), gt=0, le=1, description="Gross margin for the lifetime value.")
    dimensions: Names = Field(DIMENSIONS, description="Segment dimensions, of plan, country, channel, owner.")
    segment_periods: Names = Field(("month", "previous_month", "30d"), description="Periods of segment metrics.")
    segment_limit: int = Field(50, ge=1, le=10_000, description="Segments shown of a dimension; the rest are `other`.")
    cohort_months: int = Field(12, ge=1, le=240, description="Monthly cohorts shown.")
    health_weights: dict[str, Annotated[int | float, Field(ge=0, le=1000)]] = Field(
        HEALTH_WEIGHTS, description="Weights of the health score's parts, JSON; parts left out keep their weight."
    )
    health_users: int = _bounded("health_users", 3, "Active users for full breadth.")
    health_features: int = _bounded("health_features", 5, "Features used for full adoption.")
    targets: dict[str, float] = Field(
        {}, description='Targets for plots and alerts, JSON: {"customer_churn_ratio": 0.03}.'
    )

    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Log lines for machines (json) or people (text); auto: people on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity logged.")

    @field_validator("broker")
    @classmethod
    def _broker_has_ports(cls, value: str) -> str:
        brokers = [part.strip() for part in value.split(",")]
        for part in brokers:
            _host_and_port(part)
        return ",".join(brokers)

    @field_validator("redis_url")
    @classmethod
    def _redis_url_is_one(cls, value: SecretStr) -> SecretStr:
        url = urlsplit(value.get_secret_value())
        try:
            port = url.port
        except ValueError:
            port = 0
        here = url.scheme == "unix" and url.path
        if not here and (url.scheme not in {"redis", "rediss"} or not url.hostname or port == 0):
            raise ValueError("give a URL such as redis://127.0.0.1:6379/0")
        return value

    @field_validator(
        "topic_signups",
        "topic_payments",
        "topic_cancellations",
        "topic_sessions",
        "topic_surveys",
        "topic_expenses",
        "topic_dead_letters",
    )
    @classmethod
    def _topic_is_legal(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", value) or value in {".", ".."}:
            raise ValueError("a topic's name has 1 to 249 letters, digits, dots, dashes and underscores")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"no time zone is called {value!r}; give an IANA name such as Europe/Berlin") from None
        return value

    @field_validator("reporting_currency")
    @classmethod
    def _currency_is_a_code(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Z]{3}", value):
            raise ValueError("give an ISO 4217 code of three capitals such as USD")
        return value

    @field_validator("dimensions", "segment_periods", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("dimensions")
    @classmethod
    def _dimensions_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        _known(value, DIMENSIONS)
        # In one order, so that the same dimensions in another are no other rules.
        return tuple(dimension for dimension in DIMENSIONS if dimension in value)

    @field_validator("segment_periods")
    @classmethod
    def _periods_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _known(value, PERIODS)

    @field_validator("health_weights")
    @classmethod
    def _weights_known(cls, value: dict[str, int | float]) -> dict[str, int | float]:
        _known(tuple(value), tuple(HEALTH_WEIGHTS))
        weights = HEALTH_WEIGHTS | value
        if not any(weights.values()):
            raise ValueError("at least one weight must be above 0")
        whole_weights(weights)
        return weights

    @field_validator("targets")
    @classmethod
    def _targets_named(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"{name!r} is no name of a metric; write it without growth_, as customer_churn_ratio")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.exporter_port == self.worker_port:
            raise ValueError(
                f"exporter_port and worker_port are both {self.worker_port}: give the exporter and the worker "
                "ports of their own"
            )
        if self.topic_dead_letters in self.topics.values():
            raise ValueError(
                f"topic_dead_letters is {self.topic_dead_letters!r}, which also carries events: "
                "give dead letters a topic of their own"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the flags before the environment; `load` adds the file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, InitSettingsSource(settings_cls, _file_values)

    @property
    def topics(self) -> dict[Type, str]:
        """Topics by event type."""
        return {kind: str(getattr(self, f"topic_{kind}s")) for kind in TYPES}

    @property
    def all_topics(self) -> list[str]:
        """Every topic once, dead letters last."""
        return [*dict.fromkeys(self.topics.values()), self.topic_dead_letters]

    @property
    def broker_address(self) -> tuple[str, int]:
        """Host and port of the first broker."""
        return _host_and_port(self.broker.split(",")[0])

    @property
    def redis_address(self) -> tuple[str, int]:
        """Host and port of Redis."""
        url = urlsplit(self.redis)
        return url.hostname or "127.0.0.1", url.port or 6379

    @property
    def redis(self) -> str:
        """The Redis URL with its password: for connecting, never for showing."""
        return self.redis_url.get_secret_value()

    @property
    def redis_shown(self) -> str:
        """The Redis URL as it may be shown: without credentials."""
        url = urlsplit(self.redis)
        return urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))

    def explicit(self, name: str) -> bool:
        """Say whether a setting was given anywhere, not left at its default."""
        return name in self.model_fields_set

    def environment(self) -> dict[str, str]:
        """Give the settings that were given as environment variables, for processes that are to share them."""
        given: dict[str, str] = {}
        for name in sorted(self.model_fields_set):
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                text = value.get_secret_value()
            elif isinstance(value, (dict, tuple)):
                text = json.dumps(value)
            elif value is None:
                continue
            else:
                text = str(value)
            given[ENV_PREFIX + name.upper()] = text
        return given

    def note(self) -> dict[str, Any]:
        """Give the settings that were given, as plain values without secrets, for those who start later."""
        plain = self.model_dump(mode="json", include=self.model_fields_set, exclude={"redis_url"})
        for name in ("data_dir", "rates_file"):
            if plain.get(name) is not None:
                plain[name] = str(Path(plain[name]).absolute())
        return plain | {"broker": self.broker, "redis_url": self.redis_shown}

    def but(self, **changes: Any) -> Settings:
        """Give these settings with some replaced, validated again."""
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        return _validated(kept | changes, {})


_file_values: dict[str, Any] = {}
"""What the configuration file says while `load` validates: pydantic-settings asks for sources on the class."""


def load(flags: Mapping[str, Any], config: Path | None = None) -> Settings:
    """Read and validate all settings.

    Args:
        flags: values of the flags that were given, by setting.
        config: a TOML file; growthgauge.toml in the current folder, if there, otherwise.

    Raises:
        WrongUsage: a setting is wrong, or two contradict each other.
    """
    return _validated(flags, _read_file(config))


def load_beside(flags: Mapping[str, Any], config: Path | None = None) -> tuple[Settings, Folder | None]:
    """Read all settings, and before the defaults those of an `up` that runs in the data folder, or in its demo's.

    A broker or Redis given explicitly is another deployment, of which what runs here says nothing.

    Returns:
        The settings, and the folder of the `up` that they come from.
    """
    from_file = _read_file(config)
    settings = _validated(flags, from_file)
    for folder in candidates(settings.data_dir):
        note = folder.running()
        if note is not None:
            beside = _validated(flags, note.settings | from_file)
            here = (note.settings.get("broker"), note.settings.get("redis_url"))
            return (beside, folder) if (beside.broker, beside.redis_shown) == here else (settings, None)
    return settings, None


def _validated(flags: Mapping[str, Any], from_file: Mapping[str, Any]) -> Settings:
    _file_values.clear()
    _file_values.update(from_file)
    try:
        return Settings(**flags)
    except ValidationError as error:
        raise WrongUsage(_sentence(error, from_file)) from None
    except ValueError as error:  # what pydantic-settings says of JSON that does not parse in a variable
        name = re.search(r'field "(\w+)"', str(error))
        raise WrongUsage(f"{_label(name[1] if name else 'a setting', {})} is not valid JSON.") from None
    finally:
        _file_values.clear()


def _read_file(config: Path | None) -> dict[str, Any]:
    path = config or Path(CONFIG_FILE)
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError:
        if config is None:
            return {}
        raise WrongUsage(f"There is no configuration file {config}: check the path given with --config.") from None
    except OSError as error:
        raise WrongUsage(f"The configuration file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"The configuration file {path} is not valid TOML: {error}.") from None
    lowered = {name.lower(): value for name, value in values.items()}
    unknown = sorted(lowered.keys() - Settings.model_fields.keys())
    if unknown:
        raise WrongUsage(f"{path} sets {unknown[0]!r}, which is no setting: remove it or correct its name.")
    return lowered


def _sentence(error: ValidationError, from_file: Mapping[str, Any]) -> str:
    """Say the first problem in one sentence; the value itself is never shown, for it may be a secret."""
    problem = error.errors(include_url=False, include_input=False)[0]
    message = problem["msg"].removeprefix("Value error, ")
    place = [str(part) for part in problem["loc"]]
    if not place:
        return f"{message[:1].upper()}{message[1:]}."
    detail = f" ({'.'.join(place[1:])})" if len(place) > 1 else ""
    return f"{_label(place[0], from_file)}{detail}: {message[:1].lower()}{message[1:]}."


def _label(name: str, from_file: Mapping[str, Any]) -> str:
    where = CONFIG_FILE if name in from_file else ENV_PREFIX + name.upper()
    return f"The setting {name} (--{name.replace('_', '-')}, {where})"


def _known(values: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in allowed:
            raise ValueError(f"{value!r} is not one of {', '.join(allowed)}")
    return tuple(dict.fromkeys(values))


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not of the form host:port, such as 127.0.0.1:9092")
    return host.strip("[]"), int(port)
