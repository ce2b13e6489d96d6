"""Packed trials give what each configuration gives alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from methods.networks.convolutions import TimeConvolution
from suite.method import Optimizer
from suite.places import Places
from suite.runs import resolve_run
from suite.spec.run import RunSpec
from suite.sweep.check import check
from suite.train.packed import rows as packed_rows
from suite.train.packed.layers import one_by_one
from suite.train.packed.optimizers import StackedOptimizer, clip_norms
from suite.train.storage.reporter import Calling, Silent
from suite.work.execute import execute
from suite.work.machine import Machine
from suite.work.packing import run_packed
from tests.sweep.conftest import rows, run_here, sweep

WORLD = "planted-verbs[train=200,validation=60,test=60,verbs=12]"
MACHINE = Machine(checkpoints=False)
CASES: list[tuple[str, list[dict[str, Any]]]] = [
    ("label-smoothing", [{"epsilon": e} for e in (0.0, 0.1, 0.37)]),
    ("weak-assume-negative", [{"negatives": n} for n in (0.5, 1.0, 3.0)]),
    ("focal", [{"alpha": a, "gamma": g} for a, g in ((0.25, 2.0), (0.5, 0.0), (0.9, 1.3))]),
    (
        "mask-bce",
        [{"neighbours": k, "tau": t, "lr": r} for k, t, r in ((5, 0.1, 1e-3), (9, 0.3, 1e-3), (5, 0.0, 3e-3))],
    ),
    ("entropy-maximization", [{"alpha": a} for a in (0.01, 0.2, 0.9)]),
]


def specs(method: str, params: list[dict[str, Any]], epochs: int = 4) -> list[RunSpec]:
    common = {"hidden": 24, "lr": 1e-3}
    return [resolve_run(method, WORLD, {**common, **own}, epochs=epochs, seed=3) for own in params]


@pytest.mark.parametrize(("method", "params"), CASES, ids=[name for name, _ in CASES])
def test_each_member_is_what_it_is_alone(places: Places, method: str, params: list[dict[str, Any]]) -> None:
    asked = specs(method, params)
    packed = run_packed(asked, places, MACHINE, "g", Silent())
    for spec, together in zip(asked, packed):
        assert together is not None, f"{method} was not packed"
        alone = execute(spec, places, machine=MACHINE)
        assert together.id == alone.id and together.run["status"] == "finished"
        for split in ("validation", "test"):
            a, b = (o.extra["scores"][split]["logits"] for o in (alone, together))
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)
        assert len(together.curves) == len(alone.curves)
        values = [[row["value"] for row in o.curves] for o in (alone, together)]
        np.testing.assert_allclose(values[1], values[0], atol=1e-5)
        assert [m["metric"] for m in together.metrics] == [m["metric"] for m in alone.metrics]


def test_localization_packs_too(places: Places) -> None:
    world = "planted-videos[videos=24,classes=4,channels=8,video_seconds=60]"
    params = [{"q": 0.3, "beta": 0.5}, {"q": 0.9, "beta": 0.1}]
    common = {"hidden": 8, "positions": 40}
    asked = [resolve_run("action-selection", world, {**common, **own}, epochs=2) for own in params]
    packed = run_packed(asked, places, MACHINE, "", Silent())
    for spec, together in zip(asked, packed):
        assert together is not None
        alone = execute(spec, places, machine=MACHINE)
        for name, scores in alone.extra["scores"]["validation"].items():
            np.testing.assert_allclose(together.extra["scores"]["validation"][name], scores, rtol=0, atol=1e-5)


def test_members_differ_from_each_other(places: Places) -> None:
    packed = run_packed(specs("label-smoothing", [{"epsilon": 0.0}, {"epsilon": 0.5}]), places, MACHINE, "", Silent())
    first, second = (o.extra["scores"]["test"]["logits"] for o in packed if o is not None)
    assert np.abs(first - second).max() > 0.01


def test_a_member_whose_loss_is_lost_does_not_spoil_the_others(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    from methods.recognition.label_smoothing import LabelSmoothing

    whole = LabelSmoothing.objective

    def lost_above(self: Any, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return whole(self, logits, target) + torch.where(torch.as_tensor(self.epsilon) > 0.8, float("nan"), 0.0)

    monkeypatch.setattr(LabelSmoothing, "objective", lost_above)
    asked = specs("label-smoothing", [{"epsilon": 0.1}, {"epsilon": 0.9}, {"epsilon": 0.3}])
    packed = run_packed(asked, places, MACHINE, "", Silent())
    statuses = [one.run["status"] for one in packed if one is not None]
    assert statuses == ["finished", "failed", "finished"]
    assert packed[1] is not None and "is nan in phase 'train', epoch 1, batch 1" in packed[1].run["error"]
    for index in (0, 2):
        together, alone = packed[index], execute(asked[index], places, machine=MACHINE)
        assert together is not None
        a, b = (o.extra["scores"]["test"]["logits"] for o in (alone, together))
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)


def test_runs_that_differ_otherwise_are_left_to_themselves(places: Places) -> None:
    base = specs("label-smoothing", [{"epsilon": 0.1}])[0]
    wider = base.model_copy(update={"params": {**base.params, "hidden": 32}})
    assert run_packed([base, wider], places, MACHINE, "", Silent()) == [None, None]
    other = base.model_copy(update={"seed": 4})
    assert run_packed([base, other], places, MACHINE, "", Silent()) == [None, None]


def test_a_stopped_pack_leaves_nothing(places: Places) -> None:
    asked = specs("label-smoothing", [{"epsilon": 0.1}, {"epsilon": 0.2}])
    assert run_packed(asked, places, MACHINE, "", Calling(lambda _: False)) == [None, None]


def test_a_sweep_packs_by_itself_and_records_every_member(places: Places) -> None:
    spec = sweep(
        methods=["label-smoothing"],
        datasets=[WORLD],
        space={"epsilon": {"low": 0.0, "high": 0.9}},
        sampler="random",
        budget={"trials": 7, "epochs": 2},
        params={"hidden": 16},
        packed=4,
    )
    assert check(spec, places) == [True]
    run_here(spec, places, packable=[True])
    assert len({row["params"] for row in rows(places)}) == len(rows(places)) == 7


@pytest.mark.parametrize(
    "change", [{"packed": 0}, {"pruner": "median"}, {"params": {"hidden": 2048}}, {"space": {"batch": [4, 8]}}]
)
def test_what_cannot_or_should_not_be_packed_is_not(places: Places, change: dict[str, Any]) -> None:
    base = {"methods": ["label-smoothing"], "datasets": [WORLD], "space": {"epsilon": {}}, "params": {"hidden": 16}}
    assert check(sweep(**{**base, **change}), places) == [False]


@pytest.mark.parametrize(
    "settings",
    [
        Optimizer("adam"),
        Optimizer("adamw"),
        Optimizer("sgd"),
        Optimizer("sgd", momentum=0.9),
        Optimizer("sgd", momentum=0.9, nesterov=True),
    ],
)
@pytest.mark.parametrize("one_pass", [True, False], ids=["CPU", "device"])
def test_stacked_optimizers_step_as_torchs_do(settings: Optimizer, one_pass: bool) -> None:
    torch.manual_seed(0)
    rates, decays = torch.tensor([0.1, 0.01, 0.003], dtype=torch.float64), torch.tensor([0.0, 0.1, 0.5])
    stack = torch.randn(3, 4, 5, requires_grad=True)
    singles = [nn.Parameter(stack[i].detach().clone()) for i in range(3)]
    scale = {"w": torch.ones(3, dtype=torch.float64)}
    stacked = StackedOptimizer(settings, {"w": stack}, {"w": decays.double()}, scale)
    assert stacked.one_pass
    stacked.one_pass = one_pass
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    more = {"momentum": settings.momentum, "nesterov": settings.nesterov} if settings.name == "sgd" else {}
    own = [
        kinds[settings.name]([p], lr=float(r), weight_decay=float(d), **more) for p, r, d in zip(singles, rates, decays)
    ]
    for _ in range(5):
        gradient = torch.randn(3, 4, 5)
        stack.grad = gradient.clone()
        stacked.step(rates)
        for index, optimizer in enumerate(own):
            singles[index].grad = gradient[index].clone()
            optimizer.step()
    torch.testing.assert_close(stack.detach(), torch.stack([s.detach() for s in singles]), rtol=0, atol=1e-6)


def test_norms_are_clipped_member_by_member() -> None:
    weights = {name: torch.zeros(2, 3, requires_grad=True) for name in ("a", "b")}
    singles = [[nn.Parameter(torch.zeros(3)) for _ in weights] for _ in range(2)]
    for name, weight in enumerate(weights.values()):
        weight.grad = torch.tensor([[3.0, 0, 0], [0.1, 0, 0]]) * (name + 1)
        for member in range(2):
            singles[member][name].grad = weight.grad[member].clone()
    clip_norms(weights, 1.0)
    for member in range(2):
        nn.utils.clip_grad_norm_(singles[member], 1.0)
        for name, weight in enumerate(weights.values()):
            assert weight.grad is not None
            torch.testing.assert_close(weight.grad[member], singles[member][name].grad)


def _stacked(
    network: nn.Module, values: Tensor
) -> tuple[list[nn.Module], dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Three members of other weights, their stacked weights and buffers, and what the stack makes of ``values``."""
    members = [copy.deepcopy(network) for _ in range(3)]
    for member in members:
        for parameter in member.parameters():
            nn.init.normal_(parameter)
    parameters, buffers = stack_module_state(members)
    skeleton = one_by_one(copy.deepcopy(network))
    out = vmap(lambda p, b: functional_call(skeleton, {**p, **b}, (values,)))(parameters, buffers)
    return members, parameters, buffers, out


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(4, 3),
        nn.Linear(4, 3, bias=False),
        nn.Conv1d(4, 3, 3, padding=1),
        TimeConvolution(5, 3, 3),
        TimeConvolution(64, 64, 3),  # by pairs
        nn.BatchNorm1d(4),
    ],
)
def test_layers_one_by_one_compute_the_same(layer: nn.Module) -> None:
    shape = (6, 4)
    if isinstance(layer, nn.Conv1d):
        shape = (6, 90, layer.in_channels) if isinstance(layer, TimeConvolution) else (6, layer.in_channels, 5)
    x = torch.randn(shape)
    members, parameters, buffers, out = _stacked(layer, x)
    out.square().sum().backward()
    for index, member in enumerate(members):
        expected = member(x)
        expected.square().sum().backward()
        assert torch.equal(out[index], expected)
        for name, parameter in member.named_parameters():
            torch.testing.assert_close(parameters[name].grad[index], parameter.grad)
        for name, buffer in member.named_buffers():
            torch.testing.assert_close(buffers[name][index], buffer)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(("hidden", "together"), [(32, True), (24, False)])
def test_a_chain_for_all_members_at_once_is_that_of_each_to_the_bit(
    hidden: int, together: bool, train: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels that do not fill vector registers are normalized member by member."""
    taken, apply = [], packed_rows._Products.apply
    monkeypatch.setattr(packed_rows._Products, "apply", lambda *given: taken.append(given) or apply(*given))
    torch.manual_seed(0)
    layers = [layer for _ in range(2) for layer in (nn.ReLU(), nn.BatchNorm1d(hidden), nn.Linear(hidden, hidden))]
    network = nn.Sequential(nn.Linear(20, hidden), *layers, nn.ReLU(inplace=True), nn.Linear(hidden, 7, bias=False))
    x = torch.randn(50, 20, requires_grad=True)
    members, parameters, buffers, out = _stacked(network.train(train), x)
    assert bool(taken) == together
    out.sin().sum().backward()
    of_values, x.grad = x.grad, None
    for index, member in enumerate(members):
        expected = member.train(train)(x)
        expected.sin().sum().backward()
        assert torch.equal(out[index], expected)
        for name, parameter in member.named_parameters():
            assert torch.equal(parameters[name].grad[index], parameter.grad), name
        for name, buffer in member.named_buffers():
            assert torch.equal(buffers[name][index], buffer), name
    torch.testing.assert_close(of_values, x.grad)
