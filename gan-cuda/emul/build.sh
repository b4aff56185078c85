#!/usr/bin/env bash
# Builds the stand-in driver: build.sh FOLDER [KERNELS [FLAG...]] leaves FOLDER/libcuda.so.1.
#
# KERNELS is where the kernel files are, ../kernels unless told. Flags go to the compiler: `-DcuMemAllocAsync=absent`
# gives a driver without that function.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1 kernels=${2:-$here/../kernels}
shift $(($# < 2 ? $# : 2))

# A folder of its own, and one rename at the end: two builds at once do no harm.
mkdir -p "$out"
work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
flags=(-std=c++17 -O2 -fPIC -fvisibility=hidden -ftls-model=initial-exec -ffp-contract=off -Wall -Wextra "$@")
# In kernels, a misaligned access and an index beyond an array of known length stop the program as an address does.
checks=(-fsanitize=alignment,bounds -fsanitize-undefined-trap-on-error)

for file in "$here"/*.cpp; do
    echo "-c $file -o $work/$(basename "$file").o"
done > "$work/list"
for file in "$kernels"/*.cu; do
    echo "${checks[*]} -DGAN_EMUL -I$here -Wno-unused-parameter -x c++ -c $file -o $work/$(basename "$file").o"
done >> "$work/list"
xargs -P 4 -L 1 g++ "${flags[@]}" < "$work/list"
g++ "${flags[@]}" -shared -Wl,-soname,libcuda.so.1 -Wl,-Bsymbolic "$work"/*.o -o "$work/libcuda.so.1"
mv "$work/libcuda.so.1" "$out/libcuda.so.1"
