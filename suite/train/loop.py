"""The one training loop: phases, epochs, batches; evaluation on validation and test data; exact resume.

Every random draw follows from (seed, phase, epoch), and checkpoints are taken between epochs: a training that was
killed and resumed ends with the same bytes as one that was not. How many networks a step moves is left to
the stepper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suite.errors import TrainingError
from suite.telling import nobody
from suite.train.distributed import Workers
from suite.train.stepper import Solo, Stepper
from suite.train.storage.reporter import Progress, Reporter, Silent, Telling
from suite.train.storage.saving import Checkpoints
from suite.train.training import Trained, Training, seed_of


def train(training: Training, reporter: Reporter | None = None) -> Trained:
    """Run, or resume, one training; raises :class:`TrainingError` where a loss is not finite."""
    stepper = Solo(training)
    complete = Loop(stepper, reporter or Silent(), Checkpoints(stepper)).run()
    if training.error is not None:
        raise training.error
    return training.trained(complete)


class Loop:
    """Drives the trainings of ``stepper`` through their phases, which agree in lengths, schedules and batches."""

    def __init__(self, stepper: Stepper, reporter: Reporter, checkpoints: Checkpoints | None = None) -> None:
        self.stepper, self.reporter, self.checkpoints = stepper, reporter, checkpoints
        self.workers = Workers.current()
        self.phases = self.lead.phases
        self.steps_per_epoch = self.steps_taken = 0
        self.tell = Telling(self.reporter if self.workers.leads else Silent())

    @property
    def lead(self) -> Training:
        """The training that draws the batches for all."""
        return self.stepper.trainings[0]

    def run(self) -> bool:
        """Run every phase that is left; without phases, evaluate once. False when the reporter asked to stop."""
        runs = [training.run for training in self.stepper.trainings]
        for run in runs:
            run.tell = self.tell
        try:
            return self._run()
        finally:
            # A reporter may hold the trainings: in a cycle their arrays would outlive them until a collection.
            for run in runs:
                run.tell = nobody

    def _run(self) -> bool:
        first, epoch = self.checkpoints.resume() if self.checkpoints else (0, 0)
        for index in range(first, len(self.phases)):
            # In the middle of a phase the checkpoint has restored what entering it would make anew.
            if epoch == 0:
                self._enter(index)
            if not self._run_phase(epoch):
                return False
            epoch = 0
            if not self.stepper.trainings:
                break
        if not self.phases:
            self._evaluate()
        return True

    def _enter(self, index: int) -> None:
        for training in self.stepper.trainings:
            training.place(index)
        self.stepper.enter()

    def _run_phase(self, epoch: int) -> bool:
        """The current phase from ``epoch`` on; False when the reporter asked to stop before the end."""
        self._count_steps()
        phase, over = self.lead.run.phase, self._is_over(epoch)
        while not over:
            self._run_epoch(epoch)
            if not self.stepper.trainings:
                break
            epoch += 1
            over = self._is_over(epoch)
            # The weights with which a phase ends are evaluated in any case.
            if epoch % phase.evaluate_every == 0 or over:
                over = self._evaluate() or over
            go_on = self._report(epoch)
            done = over and self.lead.run.phase_index == len(self.phases) - 1
            # After the evaluation and the report, so that a resumed training repeats neither.
            if self.checkpoints and self.workers.leads:
                self.checkpoints.save(epoch, over, now=not go_on, done=done)
            # Asked to stop after its last epoch, a training is complete all the same.
            if not go_on and not done:
                return False
        return True

    def _count_steps(self) -> None:
        """Count the steps of an epoch where the schedule or the budget needs them; 0 elsewhere."""
        run, phase = self.lead.run, self.lead.run.phase
        # A method may have to draw an epoch to know, so this is asked only where the answer is used.
        self.steps_per_epoch = self.steps_taken = 0
        if phase.steps or phase.schedule.kind != "constant":
            self.steps_per_epoch = max(1, self.lead.method.steps_per_epoch(run, self.lead.generator(0)))

    def _is_over(self, epoch: int) -> bool:
        run = self.lead.run
        return run.step >= run.phase.steps if run.phase.steps else epoch >= run.phase.epochs

    def _run_epoch(self, epoch: int) -> None:
        lead, run = self.lead, self.lead.run
        for training in self.stepper.trainings:
            training.run.epoch = epoch
        # Workers drop different units in their shares of a batch; the batches themselves come from the generator below,
        # the same on every worker.
        torch.manual_seed(seed_of(run.seed, run.phase_index, epoch, self.workers.rank))
        self.stepper.begin_epoch()
        parts: list[dict[str, Tensor]] = []
        for batch in lead.method.batches(run, lead.generator(epoch)):
            parts.append(self.stepper.step(batch, self.steps_per_epoch))
            self.tell("step", len(parts), self.steps_per_epoch or self.steps_taken)
            if run.phase.steps and run.step >= run.phase.steps:
                break
        if not parts:
            raise TrainingError(f"{lead.method.name} drew no batch from {lead.data.name}; lower its batch size.")
        self.steps_taken = len(parts)
        self._note_losses(parts)

    def _note_losses(self, parts: Sequence[dict[str, Tensor]]) -> None:
        """Add the epoch's mean losses to the curves; looked at once per epoch, so that no step waits for the device."""
        for name in parts[0]:
            values = torch.stack([part[name] for part in parts]).double()
            means = self.workers.mean(values.mean(dim=0)).tolist()
            for training, own, mean in zip(self.stepper.trainings, values.unbind(dim=1), means, strict=True):
                training.note_loss(name, own, mean)
        self._keep([training.error is None for training in self.stepper.trainings])

    def _keep(self, wanted: Sequence[bool]) -> None:
        if not all(wanted):
            self.stepper.keep(wanted)

    def _evaluate(self) -> bool:
        """Take an evaluation point of every training; whether the stopping rule ends the phase for all of them.

        Where it does so for some, the others go on (a stack has a rule in its last phase only). The leading worker
        evaluates and decides.
        """
        self.stepper.hand_back()
        stops = [False] * len(self.stepper.trainings)
        if self.workers.leads:
            for training in self.stepper.trainings:
                training.evaluation.evaluate(training.run)
            stops = [training.evaluation.stops(training.run) for training in self.stepper.trainings]
        # Every worker must take the same way: one that went on alone would wait for the others forever.
        stops = [self.workers.agree(one, self.lead.run.device) for one in stops]
        if all(stops):
            return True
        self._keep([not one for one in stops])
        return False

    def _report(self, epoch: int) -> bool:
        """Report where the training is; whether to go on."""
        run = self.lead.run
        done = sum(phase.epochs for phase in self.phases[: run.phase_index]) + epoch
        # A phase with a budget in steps counts no epochs in advance.
        total = max(sum(phase.epochs for phase in self.phases), done)
        go_on = True
        if self.workers.leads:
            go_on = self.reporter.report(Progress(run.phase.name, epoch, done, total, self.lead.curves.latest(run)))
        return self.workers.agree(go_on, run.device)
