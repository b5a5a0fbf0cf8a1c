"""Exchanged steps of an ONNX graph give the same answers."""

import keras
import numpy as np
import onnx
import onnxruntime

from cancernet.models.preprocessing import preprocess
from cancernet.training.export import trace, write_onnx
from cancernet.training.onnx_graph import channels_first, pool_first


def model_of(nodes, weights, inputs, outputs):
    """Returns a model of given nodes; inputs and outputs are shapes by name."""

    def values(shapes):
        kind = onnx.TensorProto.FLOAT
        return [onnx.helper.make_tensor_value_info(name, kind, of) for name, of in shapes.items()]

    initializers = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = onnx.helper.make_graph(nodes, "g", values(inputs), values(outputs), initializers)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 15)])
    model.ir_version = 8
    return model


def answers(model, images):
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"image": images})


def initials(model):
    return "".join(node.op_type[0] for node in model.graph.node)


def test_pooling_comes_before_a_normalization_that_rises():
    """The same answers to the last bit; what turns the order around or has other readers stays."""
    random = np.random.default_rng(3)
    nodes, weights, name = [], {}, "image"
    for number, least in enumerate((0.5, -0.5, 0.0, 0.5)):  # of the scales
        values = random.uniform(0.1, 1, (4, 3)).astype(np.float32)
        values[0] = [least, 1, 2]
        given = [f"{number}_{each}" for each in ("scale", "offset", "mean", "variance")]
        weights |= dict(zip(given, values, strict=True))
        out = f"out_{number}"
        nodes.append(onnx.helper.make_node("BatchNormalization", [name, *given], [f"n_{number}"]))
        window = {"kernel_shape": [2, 2], "strides": [2, 2]}
        nodes.append(onnx.helper.make_node("MaxPool", [f"n_{number}"], [out], **window))
        name = out
    nodes.append(onnx.helper.make_node("ReduceMean", ["n_3"], ["mean"], keepdims=0))

    outputs = {name: [2, 3, 1, 1], "mean": []}
    model = model_of(nodes, weights, {"image": [2, 3, 16, 16]}, outputs)
    images = random.normal(size=(2, 3, 16, 16)).astype(np.float32)
    before = answers(model, images)
    pool_first(model.graph)
    assert initials(model) == "MBBMMBBMR"
    assert all(map(np.array_equal, before, answers(model, images)))


def test_channels_come_first_where_each_has_its_number():
    """Both steps of one path move; a step that something else reads, and one number, stay."""
    random = np.random.default_rng(4)
    scale, offset = random.normal(size=(2, 3)).astype(np.float32)
    weights = {"scale": scale, "offset": offset, "one": np.float32(2), "unread": offset}
    make = onnx.helper.make_node
    nodes = [
        make("Mul", ["image", "scale"], ["scaled"]),
        make("Add", ["scaled", "offset"], ["moved"]),
        make("Transpose", ["moved"], ["both"], perm=[0, 3, 1, 2]),
        make("Mul", ["image", "one"], ["doubled"]),
        make("Transpose", ["doubled"], ["single"], perm=[0, 3, 1, 2]),
        make("Add", ["image", "offset"], ["shared"]),
        make("Transpose", ["shared"], ["turned"], perm=[0, 3, 1, 2]),
        make("Mul", ["image", "scale"], ["upright"]),
        make("Transpose", ["upright"], ["other"], perm=[0, 2, 1, 3]),
    ]
    first, last = [2, 3, 4, 5], [2, 4, 5, 3]
    outputs = {"both": first, "single": first, "turned": first, "shared": last}
    model = model_of(nodes, weights, {"image": last}, {**outputs, "other": [2, 5, 4, 3]})
    images = random.normal(size=last).astype(np.float32)
    before = answers(model, images)
    channels_first(model.graph)
    assert initials(model) == "TMA" + "MT" + "AT" + "MT"
    assert "unread" not in {each.name for each in model.graph.initializer}
    assert all(map(np.array_equal, before, answers(model, images)))


def test_a_written_network_has_its_channels_first(tmp_path):
    """The preprocessing of ImageNet's networks, as a training writes it, is exchanged."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(preprocess(image, "torch"))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    write_onnx(trace(model), tmp_path / "m.onnx")
    assert initials(onnx.load(tmp_path / "m.onnx")).startswith("TMAC")
