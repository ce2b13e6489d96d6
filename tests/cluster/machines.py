"""Three raylets on this machine in a process of their own, so that Ray reads the token when it is first imported.

``python -m tests.cluster.machines PORT``: prints the address of the control store, then obeys the words ``add`` and
``lose`` on standard input, answering each, and ends with it.
"""

from __future__ import annotations

import sys

from ray.cluster_utils import Cluster

STORE = 150 * 2**20


def main() -> None:
    """Serve until standard input ends; the first node has the agent for jobs, and no CPUs."""
    node = {"object_store_memory": STORE, "node_ip_address": "127.0.0.1"}
    head = {**node, "num_cpus": 0, "include_dashboard": True}
    head |= {"dashboard_host": "127.0.0.1", "dashboard_port": int(sys.argv[1])}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    workers = [nodes.add_node(num_cpus=1, **node) for _ in range(2)]
    print(nodes.address, flush=True)
    for word in sys.stdin:
        if word.strip() == "add":
            workers.append(nodes.add_node(num_cpus=1, **node))
        else:
            nodes.remove_node(workers.pop(), allow_graceful=False)
        print("done", flush=True)
    nodes.shutdown()


if __name__ == "__main__":
    main()
