"""A small builder of ONNX graphs: a call a node, constants where they are used."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # of ONNX 1.15, which brought opset 20: newer ones are not read by runtimes of that time


class Graph:
    """Nodes and constants of a graph; values are named by strings."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """A constant, stored once however often it is used."""
        array = np.asarray(value, dtype)
        for name, known in self._constants.items():
            if known.dtype == array.dtype and known.shape == array.shape and np.array_equal(known, array):
                return name
        name = f"c{len(self._constants)}"
        self._constants[name] = array
        return name

    def add(self, op: str, *inputs: str | np.ndarray | float, **attributes: Any) -> str:
        """The one output of a node; an array or a number among the inputs becomes a float32 constant."""
        return self.several(op, 1, *inputs, **attributes)[0]

    def several(
        self, op: str, outputs: int, *inputs: str | np.ndarray | float, **attributes: Any
    ) -> list[str]:
        """The outputs of a node."""
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        out = [f"v{len(self._nodes)}_{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(op, names, out, **attributes))
        return out

    def ints(self, *values: int) -> str:
        """A constant of int64, as shapes and axes are given."""
        return self.constant(values, np.int64)

    def reshape(self, x: str, *shape: int) -> str:
        """One -1 for what follows from the rest; 0 for a dimension that stays."""
        return self.add("Reshape", x, self.ints(*shape))

    def transpose(self, x: str, *order: int) -> str:
        """The axes in another order."""
        return self.add("Transpose", x, perm=order)

    def reduce(self, kind: str, x: str, *axes: int, keep: bool = True) -> str:
        """'Sum', 'Mean' or 'Max' over axes."""
        return self.add(f"Reduce{kind}", x, self.ints(*axes), keepdims=int(keep))

    def cut(self, x: str, axis: int, start: int, stop: int) -> str:
        """x[start:stop] along an axis."""
        return self.add("Slice", x, self.ints(start), self.ints(stop), self.ints(axis))

    def model(
        self, inputs: dict[str, tuple[int, list[str | int]]], output: str, width: int, about: str
    ) -> Any:
        """The checked model; inputs: name -> (element type, shape)."""
        made = [helper.make_tensor_value_info(name, *what) for name, what in inputs.items()]
        result = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", width])
        self._nodes.append(helper.make_node("Identity", [output], ["embedding"]))
        held = [numpy_helper.from_array(array, name) for name, array in self._constants.items()]
        graph = helper.make_graph(self._nodes, "coreecg_encoder", made, [result], held, doc_string=about)
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="coreecg-jax"
        )
