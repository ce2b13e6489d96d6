"""A cluster of no worker at first, which Ray's own autoscaler adds and takes away as work comes and goes."""

from __future__ import annotations

import json

from ray.autoscaler._private.fake_multi_node import node_provider

from tests.cluster.machines import STORE, Machines

MOST = 3  # workers
IDLE = 0.1  # minutes after which a worker is taken away
PROVIDER = f"{node_provider.__name__}.FakeMultiNodeProvider"  # nodes are raylets on this machine
COMMANDS = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")


class Growing(Machines):
    """A head without CPUs, and up to three workers of one CPU that come by themselves."""

    def _fill(self, head: list[str]) -> None:
        node = node_provider.FAKE_HEAD_NODE_ID
        self.token |= {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_enable_autoscaler_v2": "1"}
        self.token |= {"RAY_CLOUD_INSTANCE_ID": node, "RAY_OVERRIDE_NODE_ID_FOR_TESTING": node}
        file = self.folder / "autoscaling.json"
        file.write_text(json.dumps(self._config(node)), encoding="utf-8")
        self._start([*head, f"--autoscaling-config={file}"], cpus=0)

    def _config(self, head: str) -> dict[str, object]:
        provider = {"type": "external", "module": PROVIDER, "gcs_address": self.address, "head_node_id": head}
        worker = {"CPU": 1, "object_store_memory": STORE}
        return {
            "cluster_name": "growing",
            "max_workers": MOST,
            "upscaling_speed": 1.0,
            "idle_timeout_minutes": IDLE,
            "provider": {**provider, "launch_multiple": True},
            "head_node_type": "ray.head.default",
            "available_node_types": {
                "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                "worker": {"resources": worker, "node_config": {}, "min_workers": 0, "max_workers": MOST},
            },
            "auth": {},
            "docker": {},
            "file_mounts": {},
            "cluster_synced_files": [],
            **{f"{name}_commands": [] for name in COMMANDS},
        }
