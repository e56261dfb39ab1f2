#!/bin/sh
# Everything that needs a GPU, in one run, without network: tests, certificate, benchmarks.
#   csrc/gpu.sh [OUT]      PYTHON=python3 chooses the interpreter; its environment is used as it is.
# It needs CuPy with NVRTC, NumPy, pytest and Hypothesis, and the build requirements of the package.
# Without a CUDA device it says so and ends with status 0: nothing was run, and nothing has failed.
set -u
cd "$(dirname "$0")/.." || exit 2
OUT=${1:-build/gpu}
PYTHON=${PYTHON:-python3}

# Before the build: a CUDA driver that sees a device is all that the machine must have.
if ! "$PYTHON" - << 'DEVICE'
import ctypes, sys
count = ctypes.c_int(0)
try:
    driver = ctypes.CDLL("libcuda.so.1")
except OSError:
    sys.exit(1)
ready = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
sys.exit(0 if ready and count.value > 0 else 1)
DEVICE
then
  echo "not run: no CUDA device"
  exit 0
fi

mkdir -p "$OUT" || exit 2
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
status=0

step() { # step NAME COMMAND...: runs it into OUT/NAME.log and keeps going
  name=$1
  shift
  echo "== $name"
  if "$@" > "$OUT/$name.log" 2>&1; then
    echo "   passed"
  else
    echo "   FAILED with status $?; the end of $OUT/$name.log:"
    tail -n 20 "$OUT/$name.log"
    status=1
  fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2> /dev/null |
  tee "$OUT/device.txt"
step build "$PYTHON" -m pip install --no-build-isolation --no-deps --quiet .
if [ "$status" -ne 0 ]; then
  echo "not run: tests, certificate and benchmarks, because the build failed"
  exit 1
fi
step tests "$PYTHON" -m pytest -q -p no:cacheprovider tests/fast/ours/test_cuda_gpu.py
step certify "$PYTHON" -m truestep.reports.cli certify cuda --out "$OUT/cuda"
step bench "$PYTHON" -m truestep.fast.ours.cuda_bench
cp "$OUT/bench.log" "$OUT/bench.json" 2> /dev/null
echo "results in $OUT; not run elsewhere than here: test_cuda_gpu.py, certify cuda, cuda_bench"
exit $status
