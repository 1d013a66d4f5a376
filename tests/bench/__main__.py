"""`python -m tests.bench [TABLE ...]`."""

import argparse
import sys

from tests.bench import adaptive, growth, machine, memory, mpi, phases, step, trees, use
from tests.bench.table import Settings

TABLES = {
    "step": step,
    "phases": phases,
    "use": use,
    "adaptive": adaptive,
    "growth": growth,
    "memory": memory,
    "trees": trees,
    "mpi": mpi,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Print tables of times and memory.")
    names = ", ".join(TABLES)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"which to print: {names} (default: all)")
    parser.add_argument("--repeats", type=int, help="turns of each contender (default: 9; with --quick: 3)")
    parser.add_argument("--quick", action="store_true", help="few and small sizes, short turns: a rough look")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))} (there are: {names})")
    repeats = arguments.repeats or (3 if arguments.quick else 9)
    if repeats < 1:
        parser.error("--repeats: expected a positive number")
    settings = Settings(repeats, 0.05 if arguments.quick else 0.25, arguments.quick)
    machine.run(settings)
    for name in arguments.tables or TABLES:
        TABLES[name].run(settings)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except RuntimeError as error:  # of a contender
        sys.exit(f"bench: {error}")
