"""Run a command and write what it used as JSON: `python launcher.py RESULT COMMAND...`.

A process of its own, since a child begins with its parent's peak memory: this one is small.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time


def main() -> None:
    """Memory is that of the largest process among the command and what it started, time that of all of them."""
    begin = time.perf_counter()
    pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    result = {
        "status": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * unit,
    }
    with open(sys.argv[1], "w", encoding="ascii") as stream:  # noqa: PTH123 - pathlib is not worth its import here
        json.dump(result, stream)


if __name__ == "__main__":
    main()
