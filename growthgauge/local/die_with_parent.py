"""Starts a program that dies with its parent: `python -m growthgauge.local.die_with_parent PARENT PROGRAM ...`.

The program stays in its parent's process group. Signals that a terminal sends to the whole group are kept from it,
so that the parent can end its children in the right order. It imports next to nothing: it runs before every child.
"""

import contextlib
import os
import signal
import subprocess
import sys

KEPT_AWAY = {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> int:
    """Become the command on Linux; elsewhere run it, watch the parent, and give the command's exit status."""
    signal.pthread_sigmask(signal.SIG_BLOCK, KEPT_AWAY)
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only where it is used: this is on the path of every start

        # SIGKILL, for nothing may outlive its parent, and whatever is stored survives it.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the line above
            return 1
        os.execv(command[0], command)  # noqa: S606
    return _watch(parent, command)


def _watch(parent: int, command: list[str]) -> int:
    child = subprocess.Popen(command, close_fds=False)  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        if os.getppid() != parent:
            child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
    # A shell's convention for a child that a signal ended, which a status cannot say otherwise.
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
