"""Which layers of two networks of one family stand for each other.

A layer's role is read from the graph alone. A network is cut where one tensor is all that goes on;
what lies between two cuts is a unit: a layer, an inverted residual, a residual block, a cell. A
unit is known by the size of the map that it reads, by how many units there changed their map
before it, and by how many have kept it since. A unit that adds its input to what it makes keeps
it. So a stage may be of any depth, and the next one begins with the same role: first blocks share
with first blocks, and stage with stage. Networks that begin by shrinking their image share only
with those that do the same. Equal graphs have equal roles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from codesign.network.floats import rectifies
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.dense import Dense
from codesign.network.tensor import map_shape


def roles(graph: Graph) -> dict[str, str]:
    """Return the role of every node that learns; no two have the same.

    A role is a word of lower-case letters, digits and underscores.
    """
    found: dict[str, str] = {}
    begins = _beginning(graph)
    changed: Counter[str] = Counter()
    entry, kept, last_size = INPUT, 0, ""
    for unit in _units(graph):
        size = _size(graph, entry)
        kept = kept if size == last_size else 0
        keeps = any(isinstance(node.op, Add) and entry in node.inputs for node in unit)
        place = f"{begins}{size}_{changed[size]}" + (f"_{kept}" if keeps else "")
        kinds: Counter[str] = Counter()
        for node in unit:
            if node.op.has_bias:
                kind = _kind(graph, node)
                found[node.name] = f"{place}_{kind}{kinds[kind]}"
                kinds[kind] += 1
        kept = kept + 1 if keeps else 0
        changed[size] += not keeps
        entry, last_size = unit[-1].name, size
    answers = {name: number for number, name in enumerate(graph.outputs) if name in found}
    return found | {
        name: f"{begins}answer{number}_{_kind(graph, graph[name])}0"
        for name, number in answers.items()
    }


def is_depthwise(op: Op) -> bool:
    """Whether every output of an operator reads one input channel alone."""
    groups = getattr(op, "groups", 1)
    return groups > 1 and groups == getattr(op, "inputs", 0)


def _beginning(graph: Graph) -> str:
    """Return a word for the map that the first layer reads, where it is smaller than the image."""
    first = next((node for node in graph if node.op.has_bias), graph.nodes[0])
    size = _size(graph, first.inputs[0])
    return "" if size == _size(graph, INPUT) else f"from{size}_"


def _units(graph: Graph) -> Iterator[list[Node]]:
    """Yield the nodes between the cuts at which a unit ends.

    A depthwise layer stays with the layer behind it, and the first one with the layer before.
    """
    unread = Counter(name for node in graph for name in node.inputs)
    live = {INPUT}
    unit: list[Node] = []
    for node, following in zip(graph.nodes, (*graph.nodes[1:], None), strict=True):
        unread.subtract(node.inputs)
        live = {name for name in live if unread[name]} | {node.name}
        unit.append(node)
        if following is None or (live == {node.name} and _ends(unit, following)):
            yield unit
            unit = []


def _ends(unit: list[Node], following: Node) -> bool:
    learning = [node.op for node in unit if node.op.has_bias]
    if not learning or not following.op.has_bias or is_depthwise(learning[-1]):
        return False
    return not is_depthwise(following.op) or any(is_depthwise(op) for op in learning)


def _kind(graph: Graph, node: Node) -> str:
    """Return what has to be equal for two layers to have weights in common at all."""
    words = [type(node.op).__name__.lower(), "rectified" if rectifies(node) else "linear"]
    groups = getattr(node.op, "groups", 1)
    if groups > 1:
        words.append("depthwise" if is_depthwise(node.op) else f"groups{groups}")
    if isinstance(node.op, Dense):
        words.append(_size(graph, node.inputs[0]))
    return "_".join(words) + "_"


def _size(graph: Graph, name: str) -> str:
    rows, columns = map_shape(graph.tensor(name).shape)[1:]
    return f"{rows}x{columns}"
