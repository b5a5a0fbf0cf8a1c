"""An Optuna study in a SQLite file or on a database server, that any stop leaves usable.

A trial counts when it ended: done or pruned. One that was cut off (Ctrl-C, a killed
process, a machine that went away) is marked as failed, does not count, and its settings
are tried again. Each proposal's random numbers depend on the seed and on how many
trials ended before it, so a study in a file that was stopped and resumed proposes what
an undisturbed one would have.
"""

import contextlib
import dataclasses
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError, first_line
from cancernet.base.locks import LockedError, lock
from cancernet.tuning.space import Dimension, Value

if TYPE_CHECKING:
    import optuna

NAME = "cancernet"
# Without a sign of life for so long, a trial of another machine counts as cut off.
HEARTBEAT_SECONDS, GRACE_SECONDS = 60, 300
TOGETHER_ATTEMPTS = 5  # to create a study that others are creating just now
PRUNE_AFTER_TRIALS = 4
# Shares of a trial are reported in per cent; the first fifth of a training says little.
PRUNE_AFTER_PERCENT = 20
_REPEATED, _IDENTITY, NOTE, REFUSED = "repeated", "identity", "note", "refused"
# So many in a row are no chance combination: what does not vary is at fault.
MOST_REFUSED = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyPlace:
    """Where a study is kept.

    Attributes:
        address: for SQLAlchemy.
        shown: the same for a person, without a password.
        results: folder for what is made of the study.
        file: the SQLite file, or None on a server.
    """

    address: str
    shown: str
    results: Path
    file: Path | None


def study_place(named: str, output: Path) -> StudyPlace:
    """Reads `--study`: a SQLite file, or the address of a database server.

    Args:
        named: `FILE` or `postgresql://user:password@host/database`.
        output: folder for the results of a study on a server.
    """
    if "://" in named and not named.startswith("sqlite:///"):
        shown = re.sub(r"//[^/@]*@", "//", named)
        # Named outright: SQLAlchemy 2.0 and 2.1 choose different drivers by themselves.
        address = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", named)
        return StudyPlace(address=address, shown=shown, results=output, file=None)
    file = Path(named.removeprefix("sqlite:///"))
    if file.is_dir():
        raise CancerNetError(
            f"{file} is a folder; name a file for --study, such as {file}/study.db"
        )
    results = file.with_suffix("") if file.suffix else file.with_name(file.name + "-results")
    address = f"sqlite:///{file.resolve()}"
    return StudyPlace(address=address, shown=str(file), results=results, file=file)


@contextlib.contextmanager
def held(place: StudyPlace) -> Iterator[None]:
    """Keeps other processes from the results folder, and with it from a study in a file.

    Raises:
        CancerNetError: another process is searching there.
    """
    place.results.mkdir(parents=True, exist_ok=True)
    try:
        with lock(place.results / ".lock"):
            yield
    except LockedError:
        raise CancerNetError(
            f"another process is searching with {place.shown} into {place.results}; wait for it, "
            "or let several share a study by a PostgreSQL address and an --output each"
        ) from None


def open_study(
    place: StudyPlace, *, maximize: bool, identity: dict[str, Any], first: dict[str, Value]
) -> "optuna.Study":
    """Opens the study, or begins it with the recipe's own settings as the first trial.

    Args:
        place: where.
        maximize: whether more is better.
        identity: what must not change within a study, plain JSON values by words.
        first: values of the dimensions to try first; empty for none.

    Raises:
        CancerNetError: Optuna or a database driver is not installed, the database cannot
            be had, or the study is of other data, settings or dimensions.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise CancerNetError(
            'a search needs Optuna; install it with `pip install -e ".[tune]"`'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _own_words(place):
        study = _create(place, maximize=maximize)
        recorded = study.user_attrs.get(_IDENTITY)
        if recorded is None:
            study.set_user_attr(_IDENTITY, identity)
            if first:
                study.enqueue_trial(first)
        else:
            _check_same(place, recorded, identity)
        _repeat_cut_off(study, alone=place.file is not None)
    return study


def _create(place: StudyPlace, *, maximize: bool) -> "optuna.Study":
    """Opens or creates the study; of machines that begin it at the same moment one comes first."""
    import optuna
    import sqlalchemy.exc

    attempts = 1 if place.file is not None else TOGETHER_ATTEMPTS
    for attempt in range(attempts):
        try:
            return optuna.create_study(
                storage=_storage(place),
                study_name=NAME,
                direction="maximize" if maximize else "minimize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(
                    n_startup_trials=PRUNE_AFTER_TRIALS, n_warmup_steps=PRUNE_AFTER_PERCENT
                ),
            )
        except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
            # Another is just creating the same tables; in a moment they are there.
            if attempt == attempts - 1:
                raise
            time.sleep(1 + attempt)
    raise AssertionError("unreachable")


def ended(study: "optuna.Study") -> int:
    """Counts the trials that ended: done or pruned."""
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def check_not_refused(study: "optuna.Study") -> None:
    """Raises CancerNetError, with the last one's reason, when several trials in a row failed."""
    last = study.get_trials(deepcopy=False)[-MOST_REFUSED:]
    if len(last) == MOST_REFUSED and all(trial.user_attrs.get(REFUSED) for trial in last):
        raise CancerNetError(
            f"{MOST_REFUSED} trials in a row could not be trained, the last because: "
            f"{last[-1].user_attrs[NOTE]}"
        )


def next_sampler(place: StudyPlace, seed: int, done: int) -> "optuna.samplers.BaseSampler":
    """Returns the sampler for the next proposal: Optuna's TPE.

    Of machines that share a study each must draw its own numbers: no seed there.
    """
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            n_startup_trials=5,
            seed=seed + 1000 * done if place.file is not None else None,
            multivariate=True,
            constant_liar=True,
        )


def suggest(trial: "optuna.Trial", dimensions: tuple[Dimension, ...]) -> dict[str, Value]:
    """Asks a trial for a value of every dimension."""
    values: dict[str, Value] = {}
    for each in dimensions:
        if each.choices:
            values[each.name] = trial.suggest_categorical(each.name, each.choices)
        elif each.whole:
            values[each.name] = trial.suggest_int(
                each.name, int(each.low), int(each.high), log=each.log
            )
        else:
            values[each.name] = trial.suggest_float(each.name, each.low, each.high, log=each.log)
    return values


def _repeat_cut_off(study: "optuna.Study", *, alone: bool) -> None:
    """Marks trials that a stopped process left running, and puts their settings in line again."""
    import optuna

    states = optuna.trial.TrialState
    if alone:  # the lock is ours, so whoever ran them is gone
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            study.tell(trial.number, state=states.FAIL)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
    repeated = list(study.user_attrs.get(_REPEATED, []))
    for trial in study.get_trials(deepcopy=False, states=(states.FAIL,)):
        if trial.number not in repeated:
            repeated.append(trial.number)
            values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            # Cut off while it was being proposed: the sampler proposes the same again.
            whole = len(values) == len(study.user_attrs[_IDENTITY]["--search"])
            if whole and NOTE not in trial.user_attrs:
                study.enqueue_trial(values)
    study.set_user_attr(_REPEATED, repeated)


def _storage(place: StudyPlace) -> "optuna.storages.RDBStorage":
    import optuna

    if place.file is not None:
        place.file.parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.RDBStorage(place.address)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(
            place.address, heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS
        )


def _check_same(place: StudyPlace, recorded: dict[str, Any], identity: dict[str, Any]) -> None:
    for words in dict.fromkeys([*identity, *recorded]):
        before, now = recorded.get(words), identity.get(words)
        if before != now:
            raise CancerNetError(
                f"the study {place.shown} began with {words} {before}, not {now}; go on with what "
                "it began with, or name another --study"
            )


@contextlib.contextmanager
def _own_words(place: StudyPlace) -> Iterator[None]:
    """Turns what Optuna and SQLAlchemy raise about a database into a sentence."""
    import optuna
    import sqlalchemy.exc

    try:
        yield
    except ImportError as error:
        raise CancerNetError(
            f"the address {place.shown} needs a driver that is not installed ({error.name}); for "
            'PostgreSQL: `pip install -e ".[postgresql]"`'
        ) from None
    except CancerNetError:
        raise
    except (
        optuna.exceptions.OptunaError,
        sqlalchemy.exc.SQLAlchemyError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,
    ) as error:  # what Optuna raises of a database that is almost a study
        reason = first_line(getattr(error, "orig", None) or error)
        raise CancerNetError(
            f"the study {place.shown} cannot be opened ({reason}); name a file that is a study or "
            "does not exist, or an address that answers"
        ) from None
