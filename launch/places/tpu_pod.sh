#!/usr/bin/env bash
# Pretraining on all hosts of a TPU VM pod slice. Never run on one.
#   launch/places/tpu_pod.sh NAME ZONE --config=configs/mimic_s.py --workdir=/mnt/shared/runs/x
# Before: on every host (--worker=all) this repository in ~/coreecg with `make setup` and `pip install '.[tpu]'` in
# its .venv, and one file system for data and runs mounted at the same place (Filestore, say).
# The same command goes on where a run stopped.
set -euo pipefail

name=${1:?expected NAME ZONE --config=FILE --workdir=FOLDER}
zone=${2:?expected NAME ZONE --config=FILE --workdir=FOLDER}
shift 2

command="cd coreecg && exec .venv/bin/python -m launch.pretrain --distributed$(printf ' %q' "$@")"
exec gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all --command="$command"
