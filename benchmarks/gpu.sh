#!/bin/sh
# What only a GPU can show: the tests marked gpu, then the speed of a trial. About seven minutes on one H200, ten at most.
#
#     benchmarks/gpu.sh [FOLDER]
#
# FOLDER holds CIFAR-10 as Parquet; without it the speed is measured on generated images. Records go to $OUT, else to benchmarks/records:
# gpu_tests.txt, trial_speed-gpu.txt, trial_speed-gpu.json. PYTHON names the interpreter (python3).
set -u
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
out=${OUT:-benchmarks/records}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir -p "$out"

"$python" - <<'CHECK' || exit 2
import importlib.util
import sys

needed = "torch torchvision numpy pydantic safetensors pyarrow filelock PIL sklearn pytest pytest_timeout".split()
if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
    sys.exit(f"cannot be imported: {' '.join(missing)}; install them")
import torch

if not torch.cuda.is_available():
    sys.exit("torch sees no GPU; run this on a machine with one")
print(torch.__version__, torch.version.cuda, torch.cuda.get_device_name())
CHECK

# Only the files with such tests are read: the others need more than is asked for above.
timeout 180 "$python" -m pytest -p no:cacheprovider -m gpu -q --tb=short $(grep -l "mark\.gpu" tests/test_*.py) >"$out/gpu_tests.txt" 2>&1
tested=$?
tail -n 40 "$out/gpu_tests.txt"

set --  ${1:+--data "$1"}
timeout 400 "$python" -m benchmarks.trial_speed_gpu "$@" --seconds 330 --output "$out/trial_speed-gpu.json" \
    >/dev/null 2>"$out/trial_speed-gpu.txt"
measured=$?
tail -n 40 "$out/trial_speed-gpu.txt"

echo "tests: exit $tested, benchmark: exit $measured, records in $out"
[ "$tested" -eq 0 ] && [ "$measured" -eq 0 ]
