"""The ``backwave`` command."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, NoReturn

from ..protocol.errors import BackwaveError
from ..scheduler.partition import GRANULARITIES
from ..scheduler.schedule import SCHEDULES
from . import bench, functions, run
from .count import command as count
from .count.growth import GENERATORS, SMALLEST

EXIT_MISTAKE = 2
EXIT_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one clear line."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(_mistake(f"{message} (see {self.prog} --help)"))


def _mistake(message: str) -> int:
    sys.stderr.write(f"backwave: {' '.join(message.split())}\n")
    return EXIT_MISTAKE


def _at_least(lowest: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if value < lowest:
            raise argparse.ArgumentTypeError(f"{value} is less than {lowest}")
        return value

    number.__name__ = "whole number"
    return number


def _sizes(text: str) -> list[int]:
    """Take ``1e3,1e4`` as numbers of edges, each once and in order."""
    sizes = set()
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r} is no number of edges") from None
        if not (value.is_integer() and value >= SMALLEST):
            raise argparse.ArgumentTypeError(
                f"{part!r} is no number of edges; give whole numbers from {SMALLEST}"
            )
        sizes.add(int(value))
    return sorted(sizes)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = _Parser(
        prog="backwave",
        description="Back-propagation as one wave of messages over a network, all counted.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    runs = commands.add_parser("run", help="run one pass over workers, and check it")
    runs.set_defaults(run=run.run)
    _target(runs)
    runs.add_argument("--workers", type=_at_least(1), default=2, metavar="N", help="default: 2")
    runs.add_argument(
        "--granularity",
        choices=GRANULARITIES,
        default="partition",
        help="what a worker holds; default: partition",
    )
    runs.add_argument(
        "--schedule",
        choices=tuple(SCHEDULES),
        default="eager",
        help="fire when all has come (eager, default), level by level (level, wave), or as a "
        "pipeline (gpipe, 1f1b)",
    )
    runs.add_argument(
        "--micro-batches",
        type=_at_least(1),
        default=1,
        metavar="M",
        help="copies of the network with tied weights, each given the same inputs; default: 1",
    )
    runs.add_argument(
        "--combiner",
        action="store_true",
        help="sum a partition's messages to one node before they leave it",
    )
    runs.add_argument(
        "--engine",
        choices=("ray", "local"),
        default="ray",
        help="workers on Ray (default), or in this process",
    )
    runs.add_argument(
        "--gpus", type=_at_least(0), default=0, metavar="N", help="workers on a GPU; default: 0"
    )
    runs.add_argument("--address", metavar="ADDR", help="join the Ray cluster at ADDR, or 'auto'")
    runs.add_argument(
        "--max-actors",
        type=_at_least(1),
        default=64,
        metavar="N",
        help="Ray actors at most; default: 64",
    )
    runs.add_argument(
        "--check-finite", action="store_true", help="stop at the first NaN or infinity"
    )
    runs.add_argument("--trace", metavar="FILE.json", help="where the timeline goes")

    counts = commands.add_parser("count", help="count nodes, edges, messages and work")
    counts.set_defaults(run=count.run)
    _target(counts, nargs="?")
    counts.add_argument(
        "--second-order",
        action="store_true",
        help="also the gradient network's size, and what a Hessian-vector product costs",
    )
    growing = counts.add_argument_group("networks of several sizes, instead of a file")
    growing.add_argument(
        "--sizes",
        type=_sizes,
        metavar="1e3,1e4,...",
        help="measure how counts and times grow; in edges",
    )
    growing.add_argument(
        "--generator", choices=GENERATORS, help="of layers (default), or drawn at random"
    )
    growing.add_argument(
        "--naive",
        action="store_true",
        help="also the naive algorithm, on sizes that take it a minute at most",
    )
    growing.add_argument(
        "--workers", type=_at_least(1), metavar="N", help="also over N workers on Ray"
    )
    growing.add_argument(
        "--out-dir", metavar="DIR", help="where the figure goes; default: out/count"
    )

    lists = commands.add_parser("functions", help="list every function that can be differentiated")
    lists.set_defaults(run=functions.run)
    lists.add_argument("--markdown", action="store_true", help="as docs/functions.md has it")
    _json(lists)

    benches = commands.add_parser("bench", help="measure ratios against peers and limits")
    benches.set_defaults(run=bench.run)
    benches.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(bench.NAMES)}; default: all but {' and '.join(bench.BY_NAME_ONLY)}",
    )
    benches.add_argument(
        "--sizes",
        type=_sizes,
        metavar="1e5,1e6,...",
        help="edges of the networks of scale; default: 1e5 to 1e8, as far as memory allows, "
        "which takes some minutes",
    )
    _json(benches)
    return top


def _target(command: argparse.ArgumentParser, nargs: str | None = None) -> None:
    command.add_argument(
        "target",
        nargs=nargs,
        metavar="FILE.py[:function]",
        help="the function defaults to loss",
    )
    _json(command)


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        options = parser().parse_args(arguments)
        options.out = sys.stdout
        # What else is printed, by the user's own function say, must not get into the JSON.
        with redirect_stdout(sys.stderr if options.json else sys.stdout):
            options.run(options)
    except BackwaveError as error:
        return _mistake(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("backwave: interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return 0


def _terminate(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
