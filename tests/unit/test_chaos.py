"""The harness of faults keeps its own books right: what is dealt, what is lost, what the proxy does to replies."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.chaos.feed import Feed
from tests.chaos.proxy import CLEAR, Proxy, Weather
from tests.chaos.schedule import deal

REPLY = bytes(5_000)


@pytest.mark.parametrize("rounds", [1, 4, 7])
def test_every_kind_is_dealt_equally_often(rounds: int) -> None:
    """All faults are dealt, each as often as the others, rounds differ by one at most; a seed gives the same again."""
    dealt = deal(["a", "b", "c"], 10, rounds, 1)
    assert Counter(name for faults in dealt for name in faults) == {"a": 10, "b": 10, "c": 10}
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert dealt == deal(["a", "b", "c"], 10, rounds, 1) != deal(["a", "b", "c"], 10, rounds, 2)


def test_what_is_lost_no_longer_counts() -> None:
    """Of deleted records those stored stay in the numbers; the others count again once they are sent again."""
    feed = Feed("127.0.0.1:1", {"signup": "signups"}, [{"type": "signup", "customer_id": name} for name in "abc"], 1)
    feed.waiting.clear()
    feed.there["signups", 0] = {0: 0, 1: 1, 2: 2, 3: 0}
    feed.counting.update([0, 1, 2, 0])
    assert feed.deleted("signups", 0, before=2, stored=1) == [1]
    assert [event["customer_id"] for event in feed.counted()] == ["a", "c"]
    assert (feed.gone, feed.there["signups", 0]) == ([0], {2: 2, 3: 0})
    feed.lost += [1]
    feed.went_back()
    assert sorted(feed.waiting) == [0, 1]
    assert (feed.gone, feed.lost) == ([], [])


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy in front of a server that answers everything with the same reply."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=answer, args=(client,), daemon=True).start()

        def answer(client: socket.socket) -> None:
            with client, suppress(OSError):
                while client.recv(100):
                    client.sendall(REPLY)

        threading.Thread(target=serve, daemon=True).start()
        made = Proxy(listener.getsockname()[1], 1)
        yield made
        made.close()


def asked(proxy: Proxy) -> bytes:
    """Ask through the proxy, and give what came back before the connection ended or the reply was whole."""
    got = b""
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(b"?")
        while len(got) < len(REPLY) and (piece := client.recv(10_000)):
            got += piece
    return got


def test_the_proxy_does_as_the_weather_is(proxy: Proxy) -> None:
    """In clear weather all passes; it cuts replies within their first bytes, lets nobody in, and delays."""
    assert asked(proxy) == REPLY
    proxy.weather = Weather(cut=300)
    cut = [len(asked(proxy)) for _ in range(5)]
    assert max(cut) < 300
    assert proxy.cuts == 5
    proxy.weather = Weather(closed=True)
    assert asked(proxy) == b""
    proxy.weather = Weather(delay=0.001)
    assert asked(proxy) == REPLY
    assert proxy.delays >= 2
    proxy.weather = CLEAR
    assert asked(proxy) == REPLY
