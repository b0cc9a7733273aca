"""No-op tasks on Dask: a local cluster of two processes. Prints seconds of all, and of each single task, as JSON."""

import json
import sys
import time

from distributed import Client, LocalCluster


def noop(number):
    return number


def main():
    tasks, singles = int(sys.argv[1]), int(sys.argv[2])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.gather(client.map(noop, range(100), pure=False))
        begun = time.perf_counter()
        answers = client.gather(client.map(noop, range(tasks), pure=False))
        seconds = time.perf_counter() - begun
        assert answers == list(range(tasks))
        each = []
        for number in range(singles):
            begun = time.perf_counter()
            assert client.submit(noop, number, pure=False).result() == number
            each.append(time.perf_counter() - begun)
    print(json.dumps({"seconds": seconds, "singles": each}))


if __name__ == "__main__":
    main()
