"""How fast and how large on this machine: `python -m benchmarks`, or `make bench`. Nothing is tested here."""
