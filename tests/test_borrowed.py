"""What is borrowed of other libraries is still there, and nothing else is borrowed."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfspec import borrowed

ROOT = Path(__file__).parents[1]
LIBRARIES = ("keras", "tensorflow", "ai_edge_litert")
FILES = [path for folder in ("tfspec", "pipelines") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_keras_lists_the_layers_in_a_layer():
    inner = keras.layers.Dense(2)
    outer = keras.Sequential([keras.Input([3]), keras.Sequential([keras.Input([3]), inner])])
    assert hasattr(outer, "_flatten_layers"), "Keras has no Layer._flatten_layers any more"
    assert outer in borrowed.all_layers(outer)
    assert inner in borrowed.all_layers(outer)


class Asks(keras.layers.Layer):
    def call(self, x):
        self.answer = borrowed.is_called_by_itself(self)
        return x


def test_keras_knows_which_layer_was_called_first():
    layer = Asks()
    assert hasattr(layer, "_get_call_context"), "Keras has no Layer._get_call_context any more"
    layer(np.zeros([1, 2]))
    assert layer.answer
    keras.Sequential([keras.Input([2]), layer])(np.zeros([1, 2]))
    assert not layer.answer


def test_keras_knows_the_place_of_a_variable():
    variables = [keras.Variable([float(number)]) for number in range(3)]
    optimizer = keras.optimizers.SGD()
    optimizer.build(variables)
    assert hasattr(optimizer, "_get_variable_index"), "Keras has no Optimizer._get_variable_index any more"
    assert [borrowed.variable_index(optimizer, each) for each in variables] == [0, 1, 2]


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer])
def test_keras_sums_gradients_in_a_method_of_the_optimizer(wrap):
    optimizer = wrap(keras.optimizers.SGD(1.0))
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    what = "Keras has no Optimizer._all_reduce_sum_gradients any more"
    assert hasattr(type(inner), "_all_reduce_sum_gradients"), what
    borrowed.leave_gradients(optimizer)
    pairs = [(tf.ones([1]), tf.Variable([1.0]))]
    assert inner._all_reduce_sum_gradients(pairs) == pairs


def test_keras_builds_metrics_of_replicas_in_a_method_of_the_model():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        model.compile("sgd", "mse", metrics=["mae"])
    for name in ("_maybe_symbolic_build", "_symbolic_build"):
        assert hasattr(type(model), name), f"Keras has no Model.{name} any more"
    borrowed.build_from_one_replica(model)
    calls = []
    model._symbolic_build = lambda data_batch: calls.append(data_batch)
    data = tf.data.Dataset.from_tensor_slices((tf.ones([8, 3]), tf.zeros([8, 2]))).batch(5)
    history = model.fit(data, validation_data=data, verbose=0).history
    assert [x.shape[0] for x, _ in calls] == [5, 5], (
        "Keras does not call Model._maybe_symbolic_build any more"
    )
    assert {"loss", "mae", "val_loss", "val_mae"} <= set(history)


def test_keras_builds_for_batches_of_which_only_shapes_and_types_are_known():
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    assert hasattr(model, "_symbolic_build"), "Keras has no Model._symbolic_build any more"
    data = tf.data.Dataset.from_tensor_slices((tf.ones([8, 3]), tf.zeros([8, 2]))).batch(5)
    traces = []
    model.train_step = lambda batch, step=model.train_step: traces.append(batch) or step(batch)
    borrowed.build_for(model, data)
    assert model.optimizer.built and model.optimizer.iterations == 0
    model.fit(data, verbose=0, shuffle=False)
    assert len(traces) == 1, "Keras makes more variables, and the step is traced again"


def test_keras_takes_the_length_of_a_distributed_dataset_for_the_steps():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    data = strategy.distribute_datasets_from_function(lambda _: tf.data.Dataset.range(7).batch(2))
    borrowed.tell_length(data, tf.constant(4, tf.int64))
    length = data.cardinality
    assert int(length() if callable(length) else length) == 4, (
        "DistributedDataset has no _cardinality any more"
    )


def test_tensorflow_finds_a_function_by_its_name():
    borrowed.name_function("tfspec.double", lambda x: 2 * x)
    received = tf.raw_ops.PyFuncStateless(input=[tf.constant(3)], token="tfspec.double", Tout=[tf.int32])
    assert received[0] == 6, "TensorFlow has no script_ops._py_funcs._funcs any more"


def test_the_servers_of_the_data_service_know_their_ports():
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    address = dispatcher.target.removeprefix("grpc://")
    worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
    for server in (dispatcher, worker):
        name = type(server).__name__
        assert hasattr(server, "_address"), f"TensorFlow has no {name}._address any more"
        assert 0 < borrowed.port_of(server) < 2**16
    assert dispatcher.target.endswith(f":{borrowed.port_of(dispatcher)}")


def test_litert_has_the_tables_of_a_tflite_file():
    schema = borrowed.tflite_schema()
    for name in ("Model", "ModelT", "SubGraphT", "BufferT", "MetadataT"):
        assert hasattr(schema, name), f"LiteRT has no schema_py_generated.{name} any more"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_methods_of_keras() -> set[str]:
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    owners = (model, keras.layers.Layer(), model.optimizer, keras.losses.MeanSquaredError())
    owners += (keras.metrics.Mean(), keras.callbacks.Callback())
    methods = ((name, getattr(type(owner), name, None)) for owner in owners for name in dir(owner))
    return {name for name, method in methods if is_private(name) and callable(method)}


def own_names(tree: ast.AST):
    """Names that a file defines, imports of tfspec's own, or sets on `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.split(".")[-1]


def imports(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def used_names(tree: ast.AST):
    """Private attributes that a file asks for, also by `getattr`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr"):
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def borrows(trees: dict[str, ast.AST], ours: set[str]) -> list[str]:
    found = []
    for file, tree in trees.items():
        names = (name for name in used_names(tree) if isinstance(name, str) and is_private(name))
        found += [f"{file}: {name}" for name in names if name not in ours]
        of_libraries = (name for name in imports(tree) if name.split(".")[0] in LIBRARIES)
        hidden = ("keras.src", "tensorflow.python", "_generated", "._")
        found += [f"{file}: {name}" for name in of_libraries if any(part in name for part in hidden)]
    return found


def test_nothing_else_is_borrowed():
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in FILES}
    del trees["tfspec/borrowed.py"]
    ours = {name for tree in trees.values() for name in own_names(tree)} | {"_exit"}  # os._exit
    assert not borrows(trees, ours), "Private names of other libraries belong into tfspec/borrowed.py"
    taken = ours & private_methods_of_keras()
    assert not taken, f"Keras has private methods of these names: {taken}"


@pytest.mark.parametrize(
    "code",
    [
        "model._loss_tracker",
        "getattr(data, '_num_workers', 1)",
        "from keras.src import backend",
        "import tensorflow.python.ops",
        "from ai_edge_litert import schema_py_generated",
    ],
)
def test_a_new_borrowing_is_found(code):
    assert borrows({"new.py": ast.parse(code)}, {"_own"})
