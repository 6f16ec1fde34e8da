"""Each Python server's `hashing.py` ends here: `make` prints a hash of the password, `speed` how
many a second are checked in one thread."""

import sys
import time
from collections.abc import Callable


def main(make: Callable[[str], str], check: Callable[[str, str], object]) -> None:
    command, password = sys.argv[1:3]
    hashed = make(password)
    if command == "make":
        print(hashed)
        return
    seconds = float(sys.argv[3])
    began = time.perf_counter()
    count = 0
    while (passed := time.perf_counter() - began) < seconds or count < 3:
        assert check(password, hashed)
        count += 1
    print(count / passed)
