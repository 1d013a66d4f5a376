"""For each reader so many inputs; what they took, or the first that was neither read nor refused."""

import tests.first  # noqa: F401, I001  (it decides about threads before NumPy is loaded)

import argparse
import resource
import time

from tests.fuzz.readers import READERS
from tests.fuzz.run import fuzz, readers

GIGABYTE = 1 << 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("reader", nargs="*", help=f"of {', '.join(READERS)}  [default: all]")
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader  [default: 100000]")
    parser.add_argument("--seed", type=int, default=0, help="of the first input  [default: 0]")
    options = parser.parse_args()
    if unknown := set(options.reader) - set(READERS):
        parser.error(f"unknown reader: {', '.join(sorted(unknown))}")
    # Beyond a gigabyte more than what is loaded already, Python has no memory and says so.
    resource.setrlimit(resource.RLIMIT_AS, (6 * GIGABYTE, resource.RLIM_INFINITY))
    print(f"{'reader':12} {'inputs':>9} {'read':>9} {'refused':>9} {'CPU':>9} {'peak memory':>12}", flush=True)
    with readers() as all_readers:
        for name in options.reader or READERS:
            started = time.process_time()
            read, refused = fuzz(all_readers, name, range(options.seed, options.seed + options.inputs))
            seconds, peak = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name:12} {read + refused:9,} {read:9,} {refused:9,} {seconds:7.0f} s {peak:9.0f} MB", flush=True
            )  # fmt: skip
            if peak > 1024:
                raise SystemExit(f"{name}: more than 1 GB")


main()
