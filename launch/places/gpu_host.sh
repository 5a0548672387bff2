#!/usr/bin/env bash
# Pretraining on all GPUs of one host, in a container; one process. Never run on one.
#   launch/places/gpu_host.sh data runs --config=configs/mimic_s.py --workdir=runs/x
# Before, with what stands in containers/gpu.Dockerfile about drivers:
#   docker build --build-arg COREECG_COMMIT="$(git describe --always --abbrev=40 --dirty=+ --exclude='*')" \
#     -f containers/gpu.Dockerfile -t coreecg-jax:gpu .
# Both folders must be writable by user 1000. `docker stop` saves the state; the same command goes on.
# 8 GPUs divide the 2,048 recordings of a step into 256 each; README.md beside this says how to reckon for others.
set -euo pipefail

data=${1:?expected DATA RUNS --config=FILE --workdir=runs/NAME}
runs=${2:?expected DATA RUNS --config=FILE --workdir=runs/NAME}
shift 2

# --init: as process 1, Python would not hear SIGTERM before it trains, and `docker stop` would wait its 300 s.
# NCCL talks through shared memory, of which containers have 64 MB, and through pinned memory.
exec docker run --rm --init --gpus all --shm-size=1g --ulimit memlock=-1 --stop-timeout 300 \
  -v "$(realpath "$data"):/coreecg/data" -v "$(realpath "$runs"):/coreecg/runs" coreecg-jax:gpu "$@"
