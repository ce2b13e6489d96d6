"""Ray's cluster file and the KubeRay manifest against the schemas of Ray and of its operator."""

from __future__ import annotations

import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "cluster"
CRD = Path(__file__).with_name("kuberay") / "ray.io_rayjobs.yaml.xz"


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def groups() -> list[dict[str, Any]]:
    """The head's and the workers' groups of the manifest."""
    cluster = read("kuberay-job.yaml")["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_the_cluster_file_satisfies_rays_own_schema() -> None:
    import ray.autoscaler

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(read("ray-cluster.yaml"), schema)


def test_the_kuberay_manifest_satisfies_the_operators_own_schema() -> None:
    text = lzma.decompress(CRD.read_bytes())
    assert hashlib.sha256(text).hexdigest() in CRD.with_name("README.md").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a megabyte
    versions = yaml.load(text, loader)["spec"]["versions"]
    schema = _strict(next(one["schema"]["openAPIV3Schema"] for one in versions if one["name"] == "v1"))
    manifest, validator = read("kuberay-job.yaml"), jsonschema.Draft202012Validator(schema)
    validator.validate(manifest)
    for broken in ({"backoffLimit": "many"}, {"rayClusterSpec": {}}, {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**manifest, "spec": {**manifest["spec"], **broken}})


def _strict(schema: Any) -> Any:
    """``schema`` without fields that it does not name, which the API server would drop without a word."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and "type" in found and "additionalProperties" not in found:
        free = found.get("x-kubernetes-preserve-unknown-fields") or not found["properties"]
        found["additionalProperties"] = bool(free)
    if found.get("x-kubernetes-int-or-string"):
        found = {"type": ["integer", "string"]}
    return found


def test_every_mounted_volume_is_there() -> None:
    for group in groups():
        pod = group["template"]["spec"]
        there = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} == there


def test_pods_run_as_the_images_own_user() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER 1000:1000\n" in dockerfile and "--uid 1000" in dockerfile
    assert all(
        group["template"]["spec"]["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000}
        for group in groups()
    )


def test_nodes_get_the_drivers_code_and_the_token() -> None:
    """Every part of which the package is built lies where install.sh looks for it."""
    mounts = read("ray-cluster.yaml")["file_mounts"]
    assert mounts.pop("~/.ray/auth_token") == "~/.ray/auth_token"
    assert all(
        target == f"~/weak-action-suite/{source}" and (ROOT / source).exists() for target, source in mounts.items()
    )
    sent = next(
        line for line in (FOLDER / "machines.sh").read_text(encoding="utf-8").splitlines() if line.startswith("parts=")
    )
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    built = {line[1:] for line in ignored if line.startswith("!")}
    assert set(mounts.values()) == set(sent.removeprefix("parts=(").removesuffix(")").split()) == built


def test_nobody_gets_in_without_the_token() -> None:
    assert read("kuberay-job.yaml")["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "0.0.0.0" not in text, f"{path.name} opens a port to the world"
        starts = [line for line in text.splitlines() if "ray start" in line and not line.lstrip().startswith("#")]
        assert not starts or "RAY_AUTH_MODE=token" in text, f"{path.name} starts Ray without a token"
