"""Weights released for SlowFast and ACAR-Net, by the names of our detector (backbone and head).

Three namings occur: PySlowFast's own (which our backbone keeps), the Caffe2 blobs of its older model zoo
(``t_res4_5_branch2c_bn_riv``), and ACAR-Net's (``fast_res3.5.bn3.running_var``). A name of none of them stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from suite.weights import Release

# The last part of a Caffe2 blob's name: weights, scale and bias, running mean and running variance.
LEAVES = {"w": "weight", "s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_BLOB = re.compile(r"(?P<body>.+?)(?P<norm>_bn)?_(?P<leaf>w|s|b|rm|riv)")
_BLOCK = re.compile(r"res(?P<stage>\d)_(?P<block>\d+)_branch(?P<branch>[12])(?P<part>[abc]?)")
_FUSION = re.compile(r"(?:pool1|res(?P<stage>\d)_\d+_branch2c_bn)_subsample")

_ACAR_BLOCK = re.compile(
    r"(?P<path>slow|fast)_res(?P<stage>\d)\.(?P<block>\d+)\.(?P<part>[a-z_]+\d?)(?:\.0)?\.(?P<leaf>\w+)"
)
_ACAR_STEM = re.compile(r"(?P<path>slow|fast)_(?P<part>conv1|bn1)\.(?P<leaf>\w+)")
_ACAR_FUSION = re.compile(r"Tconv(?P<stage>\d)\.(?:(?P<part>[01])\.)?(?P<leaf>\w+)")
_ACAR_PARTS = {f"conv{i}": f"branch2.{part}" for i, part in enumerate("abc", start=1)}
_ACAR_PARTS |= {f"bn{i}": f"branch2.{part}_bn" for i, part in enumerate("abc", start=1)}
_ACAR_PARTS |= {"downsample": "branch1", "downsample_bn": "branch1_bn"}


def detector_names(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Released tensors by the names of our detector: ``backbone.s1 …``, ``head …``."""
    return {_detector_name(name): tensor for name, tensor in released.items()}


RELEASE = Release(detector_names, heads=("head.projection.", "head.fc2."))


def _detector_name(name: str) -> str:
    name = name.removeprefix("backbone.module.")
    if name.startswith("head.module."):
        inside = name.removeprefix("head.module.")
        return f"head.projection.{inside[3:]}" if inside.startswith("fc.") else f"head.{inside}"
    ours = _from_caffe2(name) or _from_acar(name) or name
    return f"backbone.{ours}" if re.match(r"s\d(_fuse)?\.", ours) else ours


def _from_caffe2(blob: str) -> str:
    """A blob of Caffe2 in PySlowFast's names; empty for anything else. ``t_`` marks the fast pathway."""
    found = _BLOB.fullmatch(blob)
    if found is None:
        return ""
    pathway, body = int(found["body"].startswith("t_")), found["body"].removeprefix("t_")
    norm, leaf = found["norm"] is not None, LEAVES[found["leaf"]]
    if body == "pred":
        return f"head.projection.{leaf}"
    if body in ("conv1", "res_conv1"):
        return f"s1.pathway{pathway}_stem.{'bn' if norm else 'conv'}.{leaf}"
    if fusion := _FUSION.fullmatch(body):
        return f"s{fusion['stage'] or 1}_fuse.{'bn' if norm else 'conv_f2s'}.{leaf}"
    if block := _BLOCK.fullmatch(body):
        branch = f"branch{block['branch']}" + (f".{block['part']}" if block["part"] else "")
        return f"s{block['stage']}.pathway{pathway}_res{block['block']}.{branch}{'_bn' if norm else ''}.{leaf}"
    return ""


def _from_acar(name: str) -> str:
    """A name of ACAR-Net's backbone in PySlowFast's; empty for anything else. Its stages count from 1, ours from 2."""
    if (found := _ACAR_BLOCK.fullmatch(name)) and found["part"] in _ACAR_PARTS:
        place = f"s{int(found['stage']) + 1}.pathway{_pathway(found)}_res{found['block']}"
        return f"{place}.{_ACAR_PARTS[found['part']]}.{found['leaf']}"
    if found := _ACAR_STEM.fullmatch(name):
        return f"s1.pathway{_pathway(found)}_stem.{'conv' if found['part'] == 'conv1' else 'bn'}.{found['leaf']}"
    if found := _ACAR_FUSION.fullmatch(name):
        return f"s{found['stage']}_fuse.{'bn' if found['part'] == '1' else 'conv_f2s'}.{found['leaf']}"
    return ""


def _pathway(found: re.Match[str]) -> int:
    return int(found["path"] == "fast")
