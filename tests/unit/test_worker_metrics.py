"""What the exporter's page asks a worker: its metrics, beside its readiness page, or nothing."""

import http.server
import threading

from growthgauge import wiring
from growthgauge.settings import Settings


def test_a_workers_metrics_are_beside_its_readiness_page():
    """They are read from the same host, kept for a moment, and None once nobody answers."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"growth_redis_up 1.0\n")

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/-/ready"
    read = wiring.exporter_config(Settings(worker_url=url)).worker_metrics
    assert [read() for _ in range(20)] == ["growth_redis_up 1.0\n"] * 20
    assert asked[0] == "/metrics"
    assert len(asked) < 20
    server.shutdown()
    server.server_close()
    assert wiring.exporter_config(Settings(worker_url=url)).worker_metrics() is None


def test_without_a_worker_there_is_nothing_to_ask():
    """No setting, no metrics."""
    assert wiring.exporter_config(Settings()).worker_metrics() is None
