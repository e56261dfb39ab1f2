#!/bin/sh
# The CUDA kernels under AddressSanitizer and ThreadSanitizer on the host, without a GPU: about a
# minute, most of it compilation. PYTHON chooses the interpreter, which has truestep installed.
# The compiler's checks for misaligned, null and overrunning accesses, overflow and shifts are part of
# every build of cuda_on_cpu and need no run of their own.
set -eu
exec "${PYTHON:-python3}" -m truestep.fast.ours.cuda_sanitize
