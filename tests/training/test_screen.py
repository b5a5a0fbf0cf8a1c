"""What a terminal shows of the epochs."""

import io
import itertools
import logging
import sys

from cancernet.training.loop import watchers


def test_each_epoch_is_a_line_that_fits_with_the_time_that_is_left(caplog, monkeypatch):
    monkeypatch.setattr(watchers.time, "perf_counter", itertools.count(0, 3600).__next__)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    shown = watchers.EpochsOnScreen(first_epoch=98)
    shown.set_params({"epochs": 101, "steps": 5})
    with caplog.at_level(logging.INFO, "cancernet"):
        shown.on_train_begin()
        for epoch in (98, 99, 100):
            shown.on_epoch_begin(epoch)
            shown.on_train_batch_end(7)  # of 5: many steps at once
            shown.on_epoch_end(epoch, {"loss": 0.5123, "val_loss": 1234.5, "val_auc": float("nan")})
        assert shown._bar.n == shown._bar.total == 15
        shown.close()
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == (
        "Epoch 99/101: loss 0.512, validation loss 1234.500, AUC undefined, 2:00:00 left"
    )
    assert lines[2].endswith("AUC undefined") and max(map(len, lines)) <= 80


def test_without_listeners_nothing_is_shown_and_an_early_end_is_no_error(capsys):
    shown = watchers.EpochsOnScreen(first_epoch=0)
    shown.close()  # a training that stopped before it began
    shown.set_params({"epochs": 1, "steps": 1})
    shown.on_train_begin()
    assert shown._bar.disable and capsys.readouterr() == ("", "")
