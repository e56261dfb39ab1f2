#!/bin/sh
# The CUDA kernels under the address, thread and undefined-behaviour sanitizers on the host, without a
# GPU: about a minute, most of it compilation. PYTHON chooses the interpreter, which has truestep
# installed.
set -eu
exec "${PYTHON:-python3}" -m truestep.fast.ours.cuda_sanitize
