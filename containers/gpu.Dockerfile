# Pretraining on an NVIDIA GPU. Never built: where this was written there is no Docker daemon.
# jax[cuda13] brings CUDA's libraries as wheels; the host needs a driver for CUDA 13 (580 or newer) and the NVIDIA
# Container Toolkit.
#   commit=$(git describe --always --abbrev=40 --dirty=+ --exclude='*')
#   docker build --build-arg COREECG_COMMIT="$commit" -f containers/gpu.Dockerfile -t coreecg-jax:gpu .
#   docker run --init --gpus all --shm-size=1g --ulimit memlock=-1 \
#     -v "$PWD/data:/coreecg/data" -v "$PWD/runs:/coreecg/runs" coreecg-jax:gpu \
#     --config=configs/mimic_s.py --workdir=runs/x
# The mounted folders must be writable by user 1000.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 coreecg
WORKDIR /coreecg
RUN chown coreecg /coreecg
USER coreecg

# The packages before the tree: a change of code does not install them again.
COPY --chown=coreecg requirements.txt requirements.lock ./
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir -r requirements.txt -c requirements.lock "jax[cuda13]"
COPY --chown=coreecg . .
RUN .venv/bin/pip install --no-cache-dir --no-deps -e . && mkdir -p data runs

# On the mounted folder: what is compiled serves the next container too.
ENV JAX_COMPILATION_CACHE_DIR=/coreecg/runs/.cache/jax
# Without a driver it shall fail, not compute on the CPU unseen. Of the GPU's memory jax takes three quarters by itself.
ENV JAX_PLATFORMS=cuda XLA_PYTHON_CLIENT_MEM_FRACTION=.9

# What a checkpoint says of its code: the image has no git. Last, so that a commit builds no layer anew.
ARG COREECG_COMMIT=""
ENV COREECG_COMMIT=$COREECG_COMMIT

ENTRYPOINT [".venv/bin/python", "-m", "launch.pretrain"]
