#!/usr/bin/env bash
# Checks without a GPU that the PTX checked in is what the kernels' sources give, byte by byte, and that it assembles
# for every GPU generation without spills and within the registers allowed. `check_kernels.sh write` rewrites the PTX
# instead.
#
# The compiler and the assembler are NVIDIA's own, from the Python packages pinned in wheels.txt (61 MB, kept under
# target/).
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
wheels=$(realpath -m "${CARGO_TARGET_DIR:-$tools/../../target}")/cuda-wheels
cd "$tools"

skip() { echo "skipped: $*"; exit 0; }

command -v python3 > /dev/null || skip "no python3 to run the CUDA compiler from"
if ! cmp -s wheels.txt "$wheels/wheels.txt"; then
    rm -rf "$wheels"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --only-binary :all: --require-hashes --target "$wheels" -r wheels.txt || { rm -rf "$wheels"; skip "the CUDA compiler cannot be had (see above)"; }
    # Last, so that an interrupted installation starts again.
    cp wheels.txt "$wheels/wheels.txt"
fi

nvrtc=$wheels/nvidia/cuda_nvrtc/lib ptxas=$wheels/nvidia/cu13/bin/ptxas
case ${1:-check} in
    check) python3 kernels.py "$nvrtc" check "$ptxas" ;;
    write) python3 kernels.py "$nvrtc" write ;;
    *) echo "check_kernels.sh [check|write]" >&2; exit 2 ;;
esac
