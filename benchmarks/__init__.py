"""How fast and how large on this machine: `python -m benchmarks`, or `make bench`. Nothing is tested here."""

from coreecg_jax.host_memory import keep_freed_memory

keep_freed_memory()  # as launchers do, and before numpy starts threads
