"""Stands for the compressor that you have: reads a text, writes a shorter one. This one names each run of equal lines once."""

import sys
from itertools import groupby

for line, run in groupby(sys.stdin.read().splitlines()):
    count = len(list(run))
    sys.stdout.write(f"{line}\n" if count == 1 else f"{line}  (x{count})\n")
