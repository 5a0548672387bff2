# Pretraining on one TPU host. Never built: where this was written there is no Docker daemon.
#   commit=$(git describe --always --abbrev=40 --dirty=+ --exclude='*')
#   docker build --build-arg COREECG_COMMIT="$commit" -f containers/tpu.Dockerfile -t coreecg-jax:tpu .
#   docker run --init --privileged --net=host \
#     -v "$PWD/data:/coreecg/data" -v "$PWD/runs:/coreecg/runs" coreecg-jax:tpu \
#     --config=configs/mimic_s.py --workdir=runs/x
# --privileged opens the TPU's devices, which may also need --user=root. The mounted folders must be writable by
# the user.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 coreecg
WORKDIR /coreecg
RUN chown coreecg /coreecg
USER coreecg

# The packages before the tree: a change of code does not install them again.
COPY --chown=coreecg requirements.txt requirements.lock ./
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir -r requirements.txt -c requirements.lock "jax[tpu]"
COPY --chown=coreecg . .
RUN .venv/bin/pip install --no-cache-dir --no-deps -e . && mkdir -p data runs

# On the mounted folder: what is compiled serves the next container too.
ENV JAX_COMPILATION_CACHE_DIR=/coreecg/runs/.cache/jax
# Where the TPU cannot be opened it shall fail, not compute on the CPU unseen.
ENV JAX_PLATFORMS=tpu

# What a checkpoint says of its code: the image has no git. Last, so that a commit builds no layer anew.
ARG COREECG_COMMIT=""
ENV COREECG_COMMIT=$COREECG_COMMIT

ENTRYPOINT [".venv/bin/python", "-m", "launch.pretrain"]
