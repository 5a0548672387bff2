#!/usr/bin/env bash
# Pretraining on all GPUs of one host, in a container; one process. Never run on one.
#   launch/places/gpu_host.sh data runs --config=configs/mimic_s.py --workdir=runs/x
# Before: docker build -f containers/gpu.Dockerfile -t coreecg-jax:gpu . (and what stands there about drivers).
# Both folders must be writable by user 1000. `docker stop` saves the state; the same command goes on.
set -euo pipefail

data=${1:?expected DATA RUNS --config=FILE --workdir=runs/NAME}
runs=${2:?expected DATA RUNS --config=FILE --workdir=runs/NAME}
shift 2

exec docker run --rm --gpus all --stop-timeout 300 \
  -v "$(realpath "$data"):/coreecg/data" -v "$(realpath "$runs"):/coreecg/runs" coreecg-jax:gpu "$@"
