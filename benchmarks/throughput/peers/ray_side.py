"""No-op tasks on Ray: two worker processes on this machine. Prints seconds of all, and of each single task, as JSON."""

import json
import sys
import time

import ray


@ray.remote
def noop(number):
    return number


def main():
    tasks, singles = int(sys.argv[1]), int(sys.argv[2])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    ray.get([noop.remote(number) for number in range(100)])
    begun = time.perf_counter()
    answers = ray.get([noop.remote(number) for number in range(tasks)])
    seconds = time.perf_counter() - begun
    assert answers == list(range(tasks))
    each = []
    for number in range(singles):
        begun = time.perf_counter()
        assert ray.get(noop.remote(number)) == number
        each.append(time.perf_counter() - begun)
    ray.shutdown()
    print(json.dumps({"seconds": seconds, "singles": each}))


if __name__ == "__main__":
    main()
