"""Trainings in tests: the epochs alone, or a whole run; both print what the scripts print."""

from cancernet.commands.command_line import log_to_console
from cancernet.planning.plan import Plan, Training
from cancernet.training.data.streams import open_batches
from cancernet.training.loop.fit import fit
from cancernet.training.train import train


def fitted(dataset, config, folder, network=None, **options):
    """Trains the epochs alone; returns the best epoch's model and the bookkeeping."""
    folder.mkdir(exist_ok=True)
    training = Training(folder, dataset, config)
    with log_to_console():
        return fit(training, open_batches(dataset, config), network, **options)


def trained(folder, data, config, recipe="x"):
    """Trains a whole new run."""
    with log_to_console():
        return train(Plan(folder=folder, data=data, config=config, recipe=recipe, command="x"))
