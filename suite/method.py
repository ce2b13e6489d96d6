"""The contract between a method and the suite: what a method declares, what it is asked for, what it is handed.

A method is one class in one file. It declares its hyper-parameters with :func:`hyper`, says in :meth:`Method.phases`
how it wants to be trained, and implements four verbs: ``network``, ``batches``, ``loss`` and ``score``.
Everything else (optimizers, schedules, averaging, evaluation, checkpoints, workers, sweeps) is the suite's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from suite.errors import UsageError, did_you_mean
from suite.hyper import Hyper, Presets, Value, checked, extended, hyper
from suite.phases import Average, Optimizer, Phase, Schedule, Stopping
from suite.telling import Tell, nobody

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

__all__ = [
    "Average",
    "Batch",
    "Hyper",
    "Losses",
    "Method",
    "Optimizer",
    "Phase",
    "Presets",
    "Run",
    "Schedule",
    "Scores",
    "Selection",
    "Stopping",
    "Tell",
    "Value",
    "extended",
    "hyper",
    "nobody",
]

Selection = Literal["validation", "last", "oracle"]  # how the epoch is chosen: on validation data, none, on test data
# Tensors, whose first dimension is samples, or nested batches, as {"labelled": {...}, "unlabelled": {...}}. A list has
# an entry per sample, too, and stays with the host.
Batch = dict[str, Any]
Scores = dict[str, "np.ndarray"]  # what a network says of a split, before post-processing
Losses = dict[str, "Tensor"]  # named parts, each a mean over the batch; their sum is optimized


@dataclass
class Run:
    """What a method sees of the training under way.

    ``memory`` holds tensors the method wants to keep (pseudo-labels, running statistics): it travels with
    checkpoints. ``teacher`` is the averaged or frozen copy when the phase keeps one. ``log`` adds to the curves.
    ``cached(key, make)`` computes arrays once per content and keeps them on disk; :meth:`once` keeps something while an
    evaluation point is taken. ``tell(what, done, total)`` says how far long work is, :meth:`each` for each of some
    items.
    """

    data: Any
    network: nn.Module
    seed: int
    device: torch.device
    log: Callable[[str, float], None]
    cached: Callable[[Mapping[str, Any], Callable[[], dict[str, np.ndarray]]], dict[str, np.ndarray]]
    memory: dict[str, Tensor] = field(default_factory=dict)
    teacher: nn.Module | None = None
    phase: Phase = field(default_factory=Phase)
    phase_index: int = 0
    epoch: int = 0
    step: int = 0
    residents: dict[str, Tensor] = field(default_factory=dict)
    tell: Tell = nobody
    point: dict[Any, tuple[Any, Any]] | None = None

    @contextmanager
    def at_a_point(self) -> Iterator[None]:
        """While an evaluation point is taken; see :meth:`once`."""
        self.point = {}
        try:
            yield
        finally:
            self.point = None

    def each(self, what: str, items: Collection[Any]) -> Iterator[Any]:
        """``items`` one by one, telling how many of them are done: ``run.each("scoring video", range(10))``."""
        for done, item in enumerate(items):
            self.tell(what, done, len(items))
            yield item

    def once(self, what: str, of: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """``make()``: ``what`` follows from the objects ``of``, once while an evaluation point is taken, else anew.

        No weight moves during a point, so that its scores, losses and analyses share outputs of networks on samples.
        """
        if self.point is None:
            return make()
        key = what, *map(id, of)
        if key not in self.point:
            self.point[key] = of, make()  # the objects are held, so that no other gets the id of one of them
        return self.point[key][1]

    def resident(self, name: str, array: np.ndarray) -> Tensor:
        """``array`` as a tensor that stays on the device under ``name`` (no copy of a memory map on the CPU)."""
        if name not in self.residents:
            import numpy as np
            import torch

            with warnings.catch_warnings():  # a read-only map is fine: nobody writes to what resides here
                warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
                self.residents[name] = torch.from_numpy(np.asarray(array)).to(self.device)
        return self.residents[name]


class Method:
    """A learning method. Subclass it, declare hyper-parameters, implement the verbs.

    >>> import numpy as np, torch
    >>> from suite.tasks.actors.samples import ActorScores
    >>> class Linear(Method):
    ...     name, task = "linear", "actor-detection"
    ...     lr: float = hyper(0.01, low=0.0, high=1.0, help="learning rate")
    ...
    ...     def phases(self, data):
    ...         return [Phase(epochs=5, optimizer=Optimizer("adam", lr=self.lr))]
    ...
    ...     def network(self, data):
    ...         return torch.nn.Linear(data.train.features.shape[1], len(data.classes))
    ...
    ...     def batches(self, run, generator):
    ...         labelled = np.flatnonzero(run.data.train.labelled)
    ...         for rows in np.array_split(generator.permutation(labelled), 20):
    ...             people = run.data.train.features[rows], run.data.train.labels[rows]
    ...             yield dict(zip(("features", "labels"), map(torch.tensor, people)))
    ...
    ...     def loss(self, network, batch, run):
    ...         logits, labels = network(batch["features"]), batch["labels"].float()
    ...         return {"bce": torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)}
    ...
    ...     def score(self, network, samples, run):
    ...         return {"probability": network(torch.tensor(samples.features)).sigmoid().numpy()}
    ...
    ...     def decode(self, scores, samples):
    ...         return ActorScores(scores["probability"])

    The suite does the rest:

    >>> from suite.data import load
    >>> from suite.tasks import task
    >>> from suite.train.loop import train
    >>> from suite.train.training import Settings, Training
    >>> data = load("planted-actors[train_videos=20,validation_videos=5,test_videos=5]")
    >>> trained = train(Training(Linear(lr=0.05), data, task("actor-detection"), Settings(seed=1)))
    >>> headline = trained.points["validation"].metrics["test"][0]
    >>> f"{headline.metric} {headline.value:.2f}"
    'mAP 0.18'

    Class attributes: ``task``; ``name`` (how users call it) and ``aliases`` (other names that papers use; what is
    stored is ``name``); ``title`` (how tables print it); ``paper`` (the citation); ``oracle`` marks methods that look
    at hidden truth (upper bounds); ``unknown_labels`` (recognition) says what becomes of labels that a dataset leaves
    unknown, ``soft_labels`` whether it learns from shares of annotators: targets between 0 and 1.

    ``presets`` names whole settings, chosen with the parameter ``preset``; the first is the default. By convention:
    ``recommended``, what we would run; ``published``, the released code's or else the paper's recipe to the letter;
    ``literal``, another reading of the paper's text, where there is one. Presets of a parent class are inherited as
    any attribute is; :func:`extended` adds to them. ``published_selection`` says which epoch the authors report:
    chosen on validation data, the last one, or the best on test data (``oracle``).

    Defining a class whose presets or aliases are malformed raises :class:`UsageError`.
    """

    task: ClassVar[str] = ""
    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    title: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    oracle: ClassVar[bool] = False
    unknown_labels: ClassVar[str] = ""
    soft_labels: ClassVar[bool] = False
    presets: ClassVar[Presets] = {}
    published_selection: ClassVar[Selection] = "validation"
    hypers: ClassVar[dict[str, Hyper]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared = [vars(base) for base in reversed(cls.__mro__)]
        cls.hypers = {k: v for names in declared for k, v in names.items() if isinstance(v, Hyper)}
        cls.aliases = vars(cls).get("aliases", ())  # a subclass is another method: it does not answer to its parent's
        if cls.name:
            cls._check_declarations()
        if cls.presets:
            cls.hypers["preset"] = Hyper(cls.default_preset(), choices=tuple(cls.presets), help="a named whole setting")

    @classmethod
    def _check_declarations(cls) -> None:
        cls.presets = checked(cls.presets, cls.hypers, cls.name)
        if not isinstance(cls.aliases, tuple):
            raise UsageError(f"{cls.name}: aliases = {cls.aliases!r} is no tuple of names; write ('name',).")
        if cls.published_selection not in get_args(Selection):
            options = ", ".join(get_args(Selection))
            raise UsageError(f"{cls.name}: published_selection = {cls.published_selection!r}; use one of {options}.")

    @classmethod
    def default_preset(cls) -> str:
        """The preset of a run that names none: the first declared; empty for a method without presets."""
        return next(iter(cls.presets), "")

    def __init__(self, **params: Any) -> None:
        for name, value in self.resolve(params).items():
            setattr(self, name, value)

    @classmethod
    def resolve(cls, params: Mapping[str, Any]) -> dict[str, Value]:
        """Every hyper-parameter with its value: declared default, then preset, then ``params``.

        Raises :class:`UsageError` for an unknown name, a wrong type or a value out of range.
        """
        if "preset" in params and not cls.presets:
            raise UsageError(f"{cls.name} has no presets; leave preset={params['preset']} out.")
        for name in params:
            if name not in cls.hypers:
                raise UsageError(f"{cls.name} has no parameter '{name}'{did_you_mean(name, cls.hypers)}")
        given = {name: cls.hypers[name].check(value, name, cls.name) for name, value in params.items()}
        values = {name: declared.default for name, declared in cls.hypers.items()}
        preset = str(given.get("preset", cls.default_preset()))
        return {**values, **cls.presets.get(preset, {}), **given}

    @property
    def params(self) -> dict[str, Value]:
        """The resolved hyper-parameters of this instance."""
        return {name: getattr(self, name) for name in self.hypers}

    # What a method implements -------------------------------------------------------------------------------------

    def phases(self, data: Any) -> Sequence[Phase]:
        """The training schedule; empty for a method that is not trained."""
        raise TypeError(f"{self.name} does not say how it is trained: implement phases().")

    def network(self, data: Any) -> nn.Module:
        """A freshly initialized network for ``data`` (the global seed is set before the call)."""
        raise TypeError(f"{self.name} has no network: implement network().")

    def batches(self, run: Run, generator: np.random.Generator) -> Iterator[Batch]:
        """One epoch of batches, drawn with ``generator`` alone (it is seeded by run, phase and epoch)."""
        raise TypeError(f"{self.name} has no batches: implement batches().")

    def loss(self, network: nn.Module, batch: Batch, run: Run) -> Losses:
        """Named loss parts of one batch, each a mean over its samples; the sum is optimized."""
        raise TypeError(f"{self.name} has no loss: implement loss().")

    def score(self, network: nn.Module, samples: Any, run: Run) -> Scores:
        """Raw scores of a split in evaluation mode, before anything that a ``post`` hyper-parameter touches."""
        raise TypeError(f"{self.name} scores nothing: implement score().")

    def decode(self, scores: Scores, samples: Any) -> Any:
        """Scores to the task's predictions; depends on ``post`` hyper-parameters only."""
        raise TypeError(f"{self.name} predicts nothing: implement decode().")

    # What a method may override -----------------------------------------------------------------------------------

    def chosen_by(self) -> str:
        """The metric on validation data that chooses the epoch; empty: as the task says."""
        return ""

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Optimizer groups: dicts with ``params`` and, where they differ, ``weight_decay`` and ``lr_scale``."""
        return [{"params": [p for p in network.parameters() if p.requires_grad]}]

    def begin(self, run: Run) -> None:
        """Called once before the first epoch of each phase (not again on resume): prepare ``run.memory``."""

    def begin_epoch(self, run: Run) -> None:
        """Called before each epoch."""

    def after_step(self, run: Run) -> None:
        """Called after each optimizer step."""

    @classmethod
    def cautions(cls, params: Mapping[str, Any]) -> list[str]:
        """What a user should know of ``params`` before a run starts, in sentences without a full stop."""
        return []

    def packs(self, data: Any) -> bool:
        """Whether networks for ``data`` are small enough to be trained as a stack, where parameters may be packed."""
        return True

    def steps_per_epoch(self, run: Run, generator: np.random.Generator) -> int:
        """Batches in an epoch, asked once a phase where the schedule or a budget in steps needs it."""
        return sum(1 for _ in self.batches(run, generator))

    def validation_loss(self, network: nn.Module, samples: Any, run: Run) -> float | None:
        """The loss an early-stopping rule watches, if the method has one."""
        return None

    def analyses(self, run: Run) -> dict[str, float]:
        """Extra curve values at each evaluation point (pseudo-label precision, purity, ...), where truth is known."""
        return {}
