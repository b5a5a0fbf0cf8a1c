"""The bookkeeping of a training between two epochs."""

import dataclasses


@dataclasses.dataclass
class State:
    """The bookkeeping of a training after its last complete epoch.

    Attributes:
        history: one row per epoch, column name to value.
        best_value: the best value of the monitored measure so far.
        best_epoch: the epoch that reached it, counted from 1; 0 before the first.
        waited: epochs since then.
        plateau_waited: epochs since the last better one or lowering of the rate.
        seconds: time spent training in complete epochs, without validation.
        cpu_seconds: the same of all processors together.
        phase: 0, or 1 where the top of the backbone learns after the head.
        phase_start: complete epochs before this phase.
    """

    history: list[dict[str, int | float]] = dataclasses.field(default_factory=list)
    best_value: float = float("nan")
    best_epoch: int = 0
    waited: int = 0
    plateau_waited: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    phase: int = 0
    phase_start: int = 0

    def __post_init__(self) -> None:
        numbers = (self.best_epoch, self.waited, self.plateau_waited, self.phase, self.phase_start)
        if min(numbers) < 0 or self.phase > 1:
            raise ValueError("its bookkeeping is damaged")

    @property
    def epochs(self) -> int:
        """Complete epochs."""
        return len(self.history)

    def begin_phase(self, phase: int) -> None:
        """Notes that another phase begins after the last complete epoch."""
        self.phase, self.phase_start = phase, self.epochs
        self.waited = self.plateau_waited = 0
