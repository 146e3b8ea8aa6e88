"""A network as a table to read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from textwrap import wrap

from ..parts import CONSTANT, Node
from ..wires import Wires

ROWS = 60
"""How many nodes are shown; of a longer network the middle is left out."""

WIDTH = 80
"""How many columns it takes."""


def summary(graph: Wires) -> str:
    """Return the table of a network: its nodes, what they cost, and the totals."""
    shown = [node for node in graph.nodes if node.primitive != CONSTANT]
    constants = len(graph.nodes) - len(shown)
    head, tail = (shown, []) if len(shown) <= ROWS else (shown[: ROWS // 2], shown[-ROWS // 2 :])
    rows = [("node", "inputs", "value", "flops", "line")]
    rows += [_row(graph, node) for node in head]
    if tail:
        rows.append((f"... {len(shown) - len(head) - len(tail)} more", "", "", "", ""))
        rows += [_row(graph, node) for node in tail]
    widths = [min(max(len(row[i]) for row in rows), limit) for i, limit in enumerate(_LIMITS)]
    lines = [_line(row, widths) for row in rows]
    rule = "─" * max(map(len, lines))
    work = [graph.work(u) for u in range(len(graph.nodes))]
    kinds = Counter(node.primitive for node in shown if node.inputs)
    size = f"V={graph.num_nodes} E={graph.num_edges} levels={graph.num_levels}"
    most = ", ".join(f"{_cut(name, 24)} {count:,}" for name, count in kinds.most_common(6))
    return "\n".join(
        [
            f"{_cut(graph.name or 'network', WIDTH - 2 - len(size))}: {size}",
            lines[0],
            rule,
            *lines[1:],
            rule,
            f"{len(shown):,} nodes and {constants:,} constants; a forward sweep takes",
            f"{sum(each.flops for each in work):,} flops and moves "
            f"{sum(each.bytes for each in work):,} bytes",
            *wrap(f"most: {most}" if most else "", WIDTH),
        ]
    )


_LIMITS = (20, 9, 16, 11, 16)  # with the gaps, 80 columns


def _row(graph: Wires, node: Node) -> tuple[str, str, str, str, str]:
    inputs = ", ".join(map(str, node.inputs))
    value = f"{node.dtype}{list(node.shape)}".replace(" ", "")
    file, _, number = node.line.rpartition(":")
    line = f"{_cut(Path(file).name, _LIMITS[4] - len(number) - 1)}:{number}" if file else ""
    flops = f"{graph.work(node.id).flops:,}" if node.inputs else ""
    mark = "" if graph.on_network[node.id] else " ·"
    name = node.name if node.inputs else f"{node.name}:{node.id}"
    return name + mark, inputs, value, flops, line


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [_cut(cell, width) for cell, width in zip(row, widths, strict=True)]
    padded = [
        cell.rjust(width) if i == 3 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
