#!/usr/bin/env python3
"""Compiles kernels/*.cu to ptx/*.ptx, or checks that nothing has to be.

    kernels.py NVRTC_DIR write           compiles, and writes what changed
    kernels.py NVRTC_DIR check PTXAS     compares byte by byte, then assembles for every GPU generation: nothing may
                                         spill, nor use more registers than kernels/registers.txt allows

NVRTC_DIR holds the libraries of the wheel nvidia-cuda-nvrtc-cu12, PTXAS is the assembler of nvidia-cuda-nvcc; their
versions are pinned in wheels.txt. Python, because the compiler comes from a Python package: whoever has it can run this.
"""
import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
KERNELS, PTX, CAPS = ROOT / "kernels", ROOT / "ptx", ROOT / "kernels" / "registers.txt"
# The oldest GPUs with asynchronous copies; drivers compile this PTX for all newer ones.
VIRTUAL = "compute_80"
REAL = ["sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"]


class Nvrtc:
    def __init__(self, folder):
        # NVRTC opens its builtins by name and finds them only if they are loaded.
        for name in ("libnvrtc-builtins.so.*", "libnvrtc.so.*"):
            path = next(iter(sorted(pathlib.Path(folder).glob(name))), None)
            if path is None:
                sys.exit(f"no {name} in {folder}")
            self.lib = ctypes.CDLL(str(path.resolve()), mode=ctypes.RTLD_GLOBAL)

    def text(self, kind, program):
        size = ctypes.c_size_t()
        getattr(self.lib, f"nvrtcGet{kind}Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(self.lib, f"nvrtcGet{kind}")(program, buffer)
        return buffer.value.decode()

    def compile(self, path):
        program = ctypes.c_void_p()
        create = self.lib.nvrtcCreateProgram
        create(ctypes.byref(program), path.read_bytes(), path.name.encode(), 0, None, None)
        options = [f"--gpu-architecture={VIRTUAL}", "-std=c++17", f"--include-path={KERNELS}"]
        array = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if self.lib.nvrtcCompileProgram(program, len(options), array) != 0:
            sys.exit(f"{path.name}:\n{self.text('ProgramLog', program)}")
        return self.text("PTX", program)


def compile_all(folder):
    nvrtc = Nvrtc(folder)
    return {path.with_suffix(".ptx").name: nvrtc.compile(path) for path in sorted(KERNELS.glob("*.cu"))}


def write(ptx):
    PTX.mkdir(exist_ok=True)
    for old in PTX.glob("*.ptx"):
        if old.name not in ptx:
            old.unlink()
    for name, text in ptx.items():
        if not (PTX / name).exists() or (PTX / name).read_text() != text:
            (PTX / name).write_text(text)
            print("wrote", name)


def compare(ptx):
    stored = {path.name: path.read_text() for path in PTX.glob("*.ptx")}
    differ = sorted(name for name in ptx.keys() | stored.keys() if ptx.get(name) != stored.get(name))
    return [f"ptx/{name} is not what the sources give: run kernels.py write" for name in differ]


def resources(ptxas, path, arch):
    """Yields (kernel, registers, bytes of stack and spills)."""
    with tempfile.TemporaryDirectory() as folder:
        command = [ptxas, "-v", f"-arch={arch}", str(path), "-o", f"{folder}/out"]
        log = subprocess.run(command, capture_output=True, text=True, check=False)
    if log.returncode != 0:
        sys.exit(f"{path.name} for {arch}:\n{log.stderr}")
    kernel, stack = None, 0
    for line in log.stderr.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            kernel = found[1]
        elif "bytes stack frame" in line:
            stack = sum(map(int, re.findall(r"(\d+) bytes", line)))
        elif found := re.search(r"Used (\d+) registers", line):
            yield kernel, int(found[1]), stack


def assemble(ptxas):
    lines = (line.split() for line in CAPS.read_text().splitlines() if line and line[0] != "#")
    caps = {kernel: int(cap) for kernel, cap in lines}
    wrong, most = [], {}
    for path in sorted(PTX.glob("*.ptx")):
        for arch in REAL:
            for kernel, registers, stack in resources(ptxas, path, arch):
                base = re.sub(r"_(f32|f16|bf16)", "", kernel)
                most[base] = max(most.get(base, 0), registers)
                if stack:
                    wrong.append(f"{kernel} for {arch}: {stack} bytes of stack or spills")
                if registers > caps.get(base, 0):
                    wrong.append(f"{kernel} for {arch}: {registers} registers, {caps.get(base, 'no cap')} allowed")
    wrong += [f"registers.txt: there is no kernel {base}" for base in caps.keys() - most.keys()]
    for base in sorted(most):
        print(f"{base:16} {most[base]:3} registers of {caps.get(base, 0)}")
    return wrong


def main():
    match sys.argv[1:]:
        case [folder, "write"]:
            write(compile_all(folder))
        case [folder, "check", ptxas]:
            wrong = compare(compile_all(folder)) + assemble(ptxas)
            if wrong:
                sys.exit("\n".join(wrong))
            print(f"PTX as checked in; no spills for {', '.join(REAL)}")
        case _:
            sys.exit(__doc__)


main()
