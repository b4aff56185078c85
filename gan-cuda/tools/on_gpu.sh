#!/usr/bin/env bash
# What to run on the day a GPU is at hand. Nothing is built there:
#
#   gan-cuda/tools/on_gpu.sh pack FOLDER     here: builds with cargo and collects all that is needed (some 20 MB)
#   FOLDER/on_gpu.sh all [OUT]               there: all stages, at most 8 minutes each; logs go to OUT (./on_gpu_out)
#   FOLDER/on_gpu.sh guard|operators|sanitizer|timings [OUT]     one stage
#
# It exits with 1 if a stage failed. `STAGE_SECONDS` shortens the stages, `SIZES` says which sizes are timed. Logs of a stand-in driver
# (LD_PRELOAD) say "stand-in" where they name the device: they are a rehearsal, not results.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
stage=${1:-}
limit=${STAGE_SECONDS:-480}

pack() {
    set -e
    local to root binary
    mkdir -p "$1"
    to=$(cd "$1" && pwd)
    root=$(cd "$here/../.." && pwd)
    cd "$root"
    # cargo says "Executable tests/gpu.rs (path)".
    built() { cargo "$@" --release --locked --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p' | tail -1; }
    cp "$(built test -p gan-cuda --test gpu)" "$to/gpu"
    cp "$(built test -p gan-cuda --test no_driver)" "$to/no_driver"
    binary=$(cargo bench --locked -p gan-benches --bench cuda --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p' | tail -1)
    cp "$binary" "$to/cuda"
    cargo build --release --locked -p gan-examples --example conformance
    cp "${CARGO_TARGET_DIR:-target}/release/examples/conformance" "$to/conformance"
    strip "$to"/{gpu,no_driver,cuda,conformance} 2> /dev/null || true
    rm -rf "$to/golden"
    cp -r gan-core/tests/golden "$to/golden"
    cp benches/peers/stylegan2_torch.py gan-cuda/tools/on_gpu.sh "$to/"
    du -sh "$to"
}

# One step of a stage: `step NAME SECONDS COMMAND...`, output to a log of that name, its end shown.
failed=0
step() {
    local name=$1 seconds=$2 start=$SECONDS code=0
    shift 2
    # Not longer than what the stage has left.
    local left=$((deadline - SECONDS))
    if ((left <= 0)); then
        echo "== $name: not run, the stage's $limit s are over"
        failed=1
        return
    fi
    timeout $((seconds < left ? seconds : left)) "$@" > "$out/$name.log" 2>&1 || code=$?
    if ((code == 0)); then
        echo "== $name: ok ($((SECONDS - start)) s)"
    else
        echo "== $name: FAILED with $code ($((SECONDS - start)) s)"
        failed=1
    fi
    tail -n "${LINES_SHOWN:-6}" "$out/$name.log"
}

# Drivers load, kernels load, and a GPU that is hidden is an error and not a crash.
guard() {
    if command -v nvidia-smi > /dev/null; then
        step nvidia_smi 30 nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv
    fi
    step guard_driver 60 ./no_driver
    step guard_first_kernels 240 ./gpu --ignored --test-threads 1 gpu_fused_kernels gpu_full_memory --nocapture
    step guard_hidden_gpu 60 bash -c '
        said=$(CUDA_VISIBLE_DEVICES= GAN_EMUL_DEVICES=0 ./conformance --device cuda:0 golden 2>&1)
        code=$?
        echo "$said"
        [[ $code == 1 && $said == "error: no CUDA device 0: the driver sees 0"* ]]'
}

# Every operator and every golden file.
operators() {
    step golden_f32 200 ./conformance --device cuda:0 golden
    step operators 280 ./gpu --ignored --nocapture --test-threads 4 --skip gpu_full_memory
}

# Memory errors and races, on small shapes.
sanitizer() {
    local tool=
    for tool in compute-sanitizer /usr/local/cuda/bin/compute-sanitizer ''; do
        [[ -z $tool ]] || command -v "$tool" > /dev/null && break
    done
    if [[ -z $tool ]]; then
        echo "== sanitizer: skipped, there is no compute-sanitizer"
        return
    fi
    # One file of each kind of operator.
    mkdir -p "$out/few"
    local file kind seen=
    for file in golden/stylegan2/*.safetensors golden/biggan/genblock_same.safetensors; do
        kind=$(basename "$file" .safetensors | sed 's/_r\{0,1\}[0-9].*//')
        [[ $seen == *" $kind "* ]] || cp "$file" "$out/few/"
        seen+=" $kind "
    done
    for check in memcheck racecheck; do
        step "sanitizer_$check" 230 "$tool" --tool "$check" --error-exitcode 99 ./conformance --device cuda:0 "$out/few"
    done
}

# This library beside plain PyTorch, f32 without tf32, then f16 storage.
timings() {
    # shellcheck disable=SC2086
    LINES_SHOWN=12 step timings 200 ./cuda ${SIZES:-256 1024}
    if ! python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then
        echo "== timings_torch: skipped, no PyTorch that sees a GPU"
        return
    fi
    LINES_SHOWN=12 step timings_torch 260 bash -c '
        for half in "" --half; do for size in 256 1024; do for batch in 1 8; do
            echo "$size, batch $batch $half: $(python3 stylegan2_torch.py time $size $batch --device cuda --runs 20 $half 2> /dev/null) s"
        done; done; done'
}

case $stage in
    pack) pack "${2:?a folder to pack into}"; exit ;;
    guard | operators | sanitizer | timings) stages=$stage ;;
    all) stages="guard operators sanitizer timings" ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
mkdir -p "${2:-on_gpu_out}"
out=$(cd "${2:-on_gpu_out}" && pwd)
cd "$here"
for stage in $stages; do
    echo "#### $stage"
    deadline=$((SECONDS + limit))
    "$stage"
done
exit $failed
