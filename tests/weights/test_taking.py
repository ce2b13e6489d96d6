"""What a network takes from a file: what fits, what is missing or left over, what is wrong."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from suite.errors import DataError
from suite.weights import Release, take

HEADS = Release(heads=("head.",))


def network(classes: int = 3, width: int = 4) -> nn.Module:
    layers = {"body": nn.Conv1d(2, width, 1), "norm": nn.BatchNorm1d(width), "head": nn.Linear(width, classes)}
    return nn.ModuleDict(layers)


def test_axes_of_length_one_do_not_count():
    ours, theirs = network(), network().state_dict()
    theirs["body.weight"] = theirs["body.weight"][:, :, 0]
    theirs["norm.weight"] = torch.full((1, 4, 1), 0.5)
    taken = take(ours, theirs, HEADS, "here.pth")
    assert taken.whole and len(taken.taken) == 8
    assert torch.equal(ours["norm"].weight, torch.full((4,), 0.5))
    assert taken.in_words() == "8 tensors taken from here.pth"


def test_a_head_for_other_classes_stays_as_it_was_and_is_named():
    ours, theirs = network(3), network(400).state_dict()
    before = ours["head"].weight.clone()
    taken = take(ours, theirs, HEADS)
    assert taken.heads == ("head.weight", "head.bias")
    assert torch.equal(ours["head"].weight, before)
    assert torch.equal(ours["body"].weight, theirs["body.weight"])
    assert "2 for another number of classes, left at their own initialization: head.weight, head.bias" in str(
        taken.in_words()
    )


def test_missing_and_surplus_tensors_are_counted_and_named():
    ours, theirs = network(), network().state_dict()
    del theirs["norm.running_mean"]
    theirs |= {f"extra.{i}": torch.zeros(1) for i in range(7)}
    taken = take(ours, theirs, HEADS)
    assert taken.missing == ("norm.running_mean",)
    assert len(taken.surplus) == 7 and not taken.whole
    assert taken.in_words().endswith(
        "1 not in the file, left at their own initialization: norm.running_mean; 7 in the file and not in the network: "
        "extra.0, extra.1, extra.2, extra.3, extra.4 and 2 more"
    )


def test_another_shape_is_an_error_that_names_both():
    ours = network(width=4)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    with pytest.raises(DataError, match=r"body.weight is \(5, 2, 1\) there and \(4, 2, 1\) in the network \(\d more"):
        take(ours, network(width=5).state_dict(), HEADS)
    assert all(torch.equal(before[name], tensor) for name, tensor in ours.state_dict().items())


def test_a_head_of_other_inputs_is_an_error():
    theirs = network(400).state_dict()
    theirs["head.weight"] = torch.zeros(400, 9)
    with pytest.raises(DataError, match=r"head.weight is \(400, 9\) there"):
        take(network(3), theirs, HEADS)


def test_the_weights_of_another_network_are_an_error():
    with pytest.raises(DataError, match=r"holds 0 of the 6 tensors of ModuleDict; it is of another network \(it has w"):
        take(network(), {"w": torch.zeros(2), "head.weight": torch.zeros(3, 4)}, HEADS, "other.pth")
