"""An Optuna study in a SQLite file or on a database server; any stop leaves it usable.

A trial counts when it has ended: done or pruned. One that was cut off (Ctrl-C, a killed
process, a machine that went away) is marked as failed; its settings are tried again. The
random numbers of a proposal depend on the seed and on the number of trials that ended before
it, so a study in a file proposes the same whether or not it was stopped in between.
"""

import contextlib
import dataclasses
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.console import install_extra
from cancernet.base.errors import CancerNetError, first_line
from cancernet.base.files import lock
from cancernet.tuning.space import Value

if TYPE_CHECKING:
    import optuna

NAME = "cancernet"
# After this long without a sign of life, a trial of another machine counts as cut off.
HEARTBEAT_SECONDS, GRACE_SECONDS = 60, 300
ATTEMPTS = 5  # to create a study that other machines are creating at the same moment
PRUNE_AFTER_TRIALS = 4
# Shares of a trial are reported in per cent; the first fifth of a training says little.
PRUNE_AFTER_PERCENT = 20
# What is kept with the study, and with a trial; `FOLD` is followed by the fold's number.
_REPEATED, _IDENTITY = "repeated", "identity"
SEARCHED = "--search"  # entry of the identity: the dimensions, as they were typed
NOTE, REFUSED, SECONDS, FOLD = "note", "refused", "seconds", "fold "
# This many in a row are not chance: the settings that do not vary are at fault.
MOST_REFUSED = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyPlace:
    """Where a study is kept.

    Attributes:
        address: for SQLAlchemy.
        shown: the same for messages, without the password.
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
        raise CancerNetError(f"--study {file} is a folder; name a file, such as {file}/study.db")
    results = file.with_suffix("") if file.suffix else file.with_name(file.name + "-results")
    address = f"sqlite:///{file.resolve()}"
    return StudyPlace(address=address, shown=str(file), results=results, file=file)


@contextlib.contextmanager
def held(place: StudyPlace) -> Iterator[None]:
    """Locks the results folder, and with it a study in a file, against other processes.

    Raises:
        CancerNetError: another process is searching there.
    """
    place.results.mkdir(parents=True, exist_ok=True)
    busy = CancerNetError(
        f"another process is searching with {place.shown} into {place.results}; wait for it, "
        "or share a study on PostgreSQL and give each process an --output of its own"
    )
    with lock(place.results / ".lock", busy):
        yield


def open_study(
    place: StudyPlace, *, maximize: bool, identity: Mapping[str, object], first: dict[str, Value]
) -> "optuna.Study":
    """Opens the study, or begins it.

    Args:
        identity: what must not change within a study: name in a message -> a JSON value.
        first: values of the dimensions that a new study tries first; empty for none.

    Raises:
        CancerNetError: Optuna or a database driver is not installed, the database cannot
            be reached, or the study is of other data, settings or dimensions.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise CancerNetError(
            f"a search needs Optuna; install it with {install_extra('tune')}"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _database_errors(place):
        study = _create(place, maximize=maximize)
        recorded = recorded_identity(study)
        if recorded is None:
            study.set_user_attr(_IDENTITY, dict(identity))
            if first:
                study.enqueue_trial(first)
            recorded = identity
        for name in dict.fromkeys([*identity, *recorded]):
            before, now = recorded.get(name), identity.get(name)
            if before != now:
                raise CancerNetError(
                    f"the study {place.shown} began with {name} {before}, not {now}; continue "
                    "with the same, or name another --study"
                )
        _repeat_cut_off(study, alone=place.file is not None)
    return study


def recorded_identity(study: "optuna.Study") -> Mapping[str, object] | None:
    """Returns the identity with which the study began; None for one that is new."""
    return study.user_attrs.get(_IDENTITY)


def _create(place: StudyPlace, *, maximize: bool) -> "optuna.Study":
    """Opens or creates the study; tries again while another machine creates the same one."""
    import optuna
    import sqlalchemy.exc

    attempt = 1
    while True:
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
            # Another machine is creating the same tables; they will be there in a moment.
            if place.file is not None or attempt == ATTEMPTS:
                raise
            time.sleep(attempt)
            attempt += 1


def ended(study: "optuna.Study") -> int:
    """Counts the trials that ended: done or pruned."""
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def check_not_refused(study: "optuna.Study") -> None:
    """Raises CancerNetError when the settings of several trials in a row were refused."""
    last = study.get_trials(deepcopy=False)[-MOST_REFUSED:]
    if len(last) == MOST_REFUSED and all(trial.user_attrs.get(REFUSED) for trial in last):
        raise CancerNetError(
            f"{MOST_REFUSED} trials in a row could not be trained, the last because: "
            f"{last[-1].user_attrs[NOTE]}"
        )


def next_sampler(place: StudyPlace, seed: int, done: int) -> "optuna.samplers.BaseSampler":
    """Returns the sampler for the next proposal: Optuna's TPE.

    Machines that share a study must not draw the same numbers, so a study on a server has no seed.
    """
    import optuna

    with _experimental():
        return optuna.samplers.TPESampler(
            n_startup_trials=5,
            seed=seed + 1000 * done if place.file is not None else None,
            multivariate=True,
            constant_liar=True,
        )


def _repeat_cut_off(study: "optuna.Study", *, alone: bool) -> None:
    """Marks the trials that a stopped process left running and enqueues their settings again."""
    import optuna

    states = optuna.trial.TrialState
    if alone:  # the lock is ours, so whoever ran them is gone
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            study.tell(trial.number, state=states.FAIL)
    else:
        with _experimental():
            optuna.storages.fail_stale_trials(study)
    repeated = list(study.user_attrs.get(_REPEATED, []))
    for trial in study.get_trials(deepcopy=False, states=(states.FAIL,)):
        if trial.number not in repeated:
            repeated.append(trial.number)
            values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            # Cut off while its values were drawn: the sampler will propose the same again.
            whole = len(values) == len(study.user_attrs[_IDENTITY][SEARCHED])
            if whole and NOTE not in trial.user_attrs:
                study.enqueue_trial(values)
    study.set_user_attr(_REPEATED, repeated)


def _storage(place: StudyPlace) -> "optuna.storages.RDBStorage":
    from optuna.storages import RDBStorage

    if place.file is not None:
        place.file.parent.mkdir(parents=True, exist_ok=True)
        return RDBStorage(place.address)
    with _experimental():
        return RDBStorage(
            place.address, heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS
        )


@contextlib.contextmanager
def _experimental() -> Iterator[None]:
    """Keeps Optuna from warning that a feature used here is experimental."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


@contextlib.contextmanager
def _database_errors(place: StudyPlace) -> Iterator[None]:
    """Turns what Optuna and SQLAlchemy raise about a database into one sentence."""
    try:
        yield
    except ImportError as error:
        raise CancerNetError(
            f"the address {place.shown} needs a driver that is not installed ({error.name}); for "
            f"PostgreSQL: {install_extra('postgresql')}"
        ) from None
    except CancerNetError:
        raise
    except Exception as error:  # a database that is almost a study makes Optuna raise anything
        reason = first_line(getattr(error, "orig", None) or error)
        raise CancerNetError(
            f"the study {place.shown} cannot be opened ({reason}); name a file that holds a study "
            "or does not exist yet, or the address of a database that answers"
        ) from None
