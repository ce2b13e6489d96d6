"""Cluster files are checked against their schemas, and ask for commands that exist."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "cluster"


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def test_the_cluster_file_satisfies_rays_own_schema() -> None:
    import ray.autoscaler

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(read("ray-cluster.yaml"), schema)


def test_the_kuberay_manifest_satisfies_its_schema() -> None:
    schema = json.loads((FOLDER / "kuberay.schema.json").read_text(encoding="utf-8"))
    manifest = read("kuberay-job.yaml")
    jsonschema.validate(manifest, schema)
    for broken in ({"entrypoint": ""}, {"backoffLimit": -1}, {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**manifest, "spec": {**manifest["spec"], **broken}}, schema)


def test_every_mounted_volume_is_there() -> None:
    cluster = read("kuberay-job.yaml")["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        there = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} == there


def test_the_entrypoint_is_a_sweep_that_is_shipped() -> None:
    from suite.sweep.files import find_sweep

    words = shlex.split(read("kuberay-job.yaml")["spec"]["entrypoint"])
    assert words[:2] == ["suite", "sweep"]
    assert find_sweep(words[2]).name == words[2]
