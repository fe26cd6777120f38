"""Run a command and write its resource usage as JSON: `python launcher.py RESULT COMMAND...`.

It is a small process of its own because a child inherits the peak memory of its parent.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time


def main() -> None:
    """Run the command and write the result: peak memory of its largest process, CPU time of all its processes."""
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
    with open(sys.argv[1], "w", encoding="ascii") as stream:  # noqa: PTH123 - importing pathlib would cost memory
        json.dump(result, stream)


if __name__ == "__main__":
    main()
