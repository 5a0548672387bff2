#!/usr/bin/env bash
# Pretraining on all hosts of a TPU VM pod slice. Never run on one.
#   launch/places/tpu_pod.sh NAME ZONE --config=configs/mimic_s.py --config.data.root=/mnt/shared/data/250hz --workdir=/mnt/shared/runs/x
# Before: on every host (--worker=all) this repository in ~/coreecg with `make setup` and `pip install '.[tpu]'` in
# its .venv, and one file system for data and runs mounted at the same place (Filestore, say). Python has to be 3.11
# or newer: on Ubuntu 22.04 (3.10) install python3.11 and python3.11-venv, then `make setup PYTHON=python3.11`.
# Ctrl-C leaves the log, not the run. The same command follows a run that is going, or goes on where it stopped.
# To stop it, its state saved: README.md beside this.
set -euo pipefail

name=${1:?expected NAME ZONE --config=FILE --workdir=FOLDER}
zone=${2:?expected NAME ZONE --config=FILE --workdir=FOLDER}
shift 2

# In a session of its own: one that ends with ssh, or loses its terminal and holds TPU and port, helps nobody.
command="cd coreecg || exit
if pgrep -F pretrain.pid -f launch.pretrain >/dev/null 2>&1; then
  echo 'a run is going on already, whatever was asked for now; its log follows'
  mine=
else
  export JAX_PLATFORMS=tpu # not the CPU, unseen, where the TPU cannot be opened
  setsid nohup .venv/bin/python -m launch.pretrain --distributed$(printf ' %q' "$@") </dev/null >>pretrain.log 2>&1 &
  mine=\$!
  echo \$mine >pretrain.pid
fi
tail -n 20 --pid=\$(cat pretrain.pid) -F pretrain.log
[ -z \"\$mine\" ] || wait \$mine"
exec gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all --command="$command"
