"""A thread that runs before others: real-time priority and a core, where the system allows it."""

from __future__ import annotations

import os
import sys
import threading

from saccade.camera.errors import SaccadeError

#: Above all threads without real-time priority; below the kernel's own, which have 50.
PRIORITY = 20


def set_realtime() -> None:
    """Gives the calling thread SCHED_FIFO, on the last core that the process may use.

    The last, for most interrupts come to the first; no core is chosen where there is only one.

    Raises:
        SaccadeError: the system has no such thing, or does not allow it.
    """
    if sys.platform != "linux":
        raise SaccadeError("realtime: only Linux has it here; leave it out")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[-1:])
    except OSError as error:
        raise SaccadeError(
            f"realtime: the system does not allow it ({error.strerror}); add the line "
            f"`NAME - rtprio {PRIORITY}` with your user name to /etc/security/limits.conf and log "
            "in again, or leave it out"
        ) from None


def check_realtime() -> None:
    """Tries `set_realtime` on a thread of its own.

    Raises:
        SaccadeError: as that does.
    """
    refused: list[SaccadeError] = []

    def attempt() -> None:
        try:
            set_realtime()
        except SaccadeError as error:
            refused.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if refused:
        raise refused[0]
