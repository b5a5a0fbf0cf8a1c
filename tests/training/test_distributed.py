"""Several replicas that train one network: the weights of one process, whole batches counted."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError, RunError

ROOT = Path(__file__).parents[2]

# In a process of its own: the processor is divided into two devices before TensorFlow starts.
PROGRAM = """
import json, sys
import cancernet.training
import numpy as np
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(processor, halves)
import keras
from cancernet.training.loop.acceleration import accelerate
from cancernet.training.data.augmentation import Ranges
from cancernet.training.data.batches import TrainingBatches
from cancernet.training.loop.distributed import Workers, fit_on_workers

random = np.random.default_rng(0)
images = random.integers(0, 256, (37, 12, 12, 3), np.uint8)  # batches of 16, 16 and 5
labels = random.integers(0, 2, 37)
keras.utils.set_random_seed(1)
plain = keras.Sequential([
    keras.Input((12, 12, 3)), keras.layers.Rescaling(1 / 255),
    keras.layers.SeparableConv2D(8, 3, activation="relu"), keras.layers.BatchNormalization(),
    keras.layers.Dropout(0.25), keras.layers.Flatten(),
    keras.layers.Dense(2, activation="softmax"),
])

def train(workers, synchronized):
    batches = TrainingBatches(
        images, labels, batch_size=16, changes=Ranges(horizontal_flip=True), mixup=0.4,
        class_weights=np.array([1.0, 3.0], np.float32), seed=1,
    )
    keras.utils.set_random_seed(5)
    with workers.strategy.scope():
        model = accelerate(plain, precision="float32", synchronized=synchronized)
        model.compile(optimizer=keras.optimizers.SGD(0.01),
                      loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
                      run_eagerly=workers.replicas == 1)  # to trace it costs more
        model.optimizer.build(model.trainable_variables)
    if workers.replicas == 1:
        model.fit(batches, epochs=2, shuffle=False, verbose=0)
    else:
        fit_on_workers(workers, model, batches, [], first_epoch=0, epochs=2, label_smoothing=0.1)
    return model.get_weights()

def largest(one, two):
    return max(float(np.abs(a - b).max()) for a, b in zip(one, two))

two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
one = Workers(tf.distribute.get_strategy(), 0, 1)
fused, shared = train(one, False), train(Workers(two, 0, 1), True)
print(json.dumps({
    "synchronized": largest(train(one, True), shared),
    "against the fused operation": largest(fused, shared),
    "each on its own": largest(fused, train(Workers(two, 0, 1), False)),
}))
"""


def test_two_replicas_with_half_the_batch_give_the_weights_of_one():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    differences = json.loads(done.stdout.splitlines()[-1])
    assert differences["synchronized"] < 2e-6
    assert differences["against the fused operation"] < 1e-4
    # Batch statistics of half a batch are other statistics.
    assert differences["each on its own"] > 1e-3


def test_tf_config_is_read_or_refused_in_a_sentence():
    from cancernet.training.loop.distributed import read_tf_config

    sound = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    assert read_tf_config(json.dumps(sound)) == (1, 2)
    for broken in (
        "{", "[]", "{}",
        json.dumps({**sound, "task": {"type": "ps", "index": 0}}),
        json.dumps({**sound, "task": {"type": "worker", "index": 2}}),
        json.dumps({**sound, "cluster": {"worker": ["a:1"], "ps": ["b:1"]}}),
    ):  # fmt: skip
        with pytest.raises(CancerNetError, match="TF_CONFIG must be"):
            read_tf_config(broken)


def test_every_row_is_dealt_to_one_replica():
    rows = np.arange(37)
    dealt = [rows[place::3] for place in range(3)]
    assert sorted(np.concatenate(dealt)) == rows.tolist()
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_a_follower_has_a_folder_of_its_own(tmp_path):
    from cancernet.runs import run_folder
    from cancernet.training.loop.distributed import scratch_folder

    (tmp_path / run_folder.CHECKPOINT).mkdir()
    (tmp_path / run_folder.CHECKPOINT / "latest.npz").write_bytes(b"x")
    (tmp_path / run_folder.CHECKPOINT / ".latest.0a1b2c3d.part.npz").write_bytes(b"half")
    with scratch_folder(tmp_path) as folder:
        assert [path.name for path in (folder / run_folder.CHECKPOINT).iterdir()] == ["latest.npz"]
        assert (folder / run_folder.CHECKPOINT / "latest.npz").read_bytes() == b"x"
        (folder / run_folder.CHECKPOINT / "latest.npz").write_bytes(b"y")
    assert not folder.exists()
    assert (tmp_path / run_folder.CHECKPOINT / "latest.npz").read_bytes() == b"x"


def test_a_lost_worker_is_one_sentence(monkeypatch):
    import tensorflow as tf

    from cancernet.training.loop import distributed as module

    def lost(*_):
        raise tf.errors.UnavailableError(None, None, "peer is gone")

    monkeypatch.setattr(module, "_step", lambda *_: lost)
    monkeypatch.setattr(module, "_epoch", lambda *_: lost())
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(RunError, match=r"another worker was lost \(UnavailableError\).*--resume"):
        module.fit_on_workers(
            module.Workers(None, 0, 2), model, [], [], first_epoch=0, epochs=1,
            label_smoothing=0.0,
        )  # fmt: skip


def test_epochs_with_and_without_other_workers_share_a_history(tmp_path):
    from cancernet.training.loop.callbacks import write_history

    write_history(tmp_path / "history.csv", [{"epoch": 1, "f1": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert (tmp_path / "history.csv").read_text() == "epoch,f1,loss\n1,0.5,nan\n2,nan,0.25\n"
