"""Writes the small files of `containers/` with the real writers: torch, numpy and pickle.

Run by hand: `python3 make_containers.py` (PyTorch and numpy). Of NVIDIA's classes, only the names and the attributes that
a pickle holds are made here; they compute nothing. The networks' values are random; `expected.safetensors` has some of
them as they are, for the readers' tests.
"""

import argparse
import io
import json
import pathlib
import pickle
import struct
import sys
import types
from collections import OrderedDict

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent / "containers"
RANDOM = np.random.RandomState(7)


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def tensor(*shape):
    return torch.from_numpy(floats(*shape))


def module(name):
    """An importable module of that name, with its parents."""
    parts = name.split(".")
    for i in range(len(parts)):
        path = ".".join(parts[: i + 1])
        if path not in sys.modules:
            sys.modules[path] = types.ModuleType(path)
    return sys.modules[name]


def stand_in(module_name, name, bases=(object,), **members):
    made = type(name, bases, {"__module__": module_name, "__qualname__": name, **members})
    setattr(module(module_name), name, made)
    return made


def save_safetensors(path, tensors):
    header, body = {}, b""
    for name, array in sorted(tensors.items()):
        data = np.ascontiguousarray(array, np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


# --- torch: formats, strides, nesting ---------------------------------------------------------------------------------

def torch_files(expected):
    base = tensor(4, 3, 2, 5)
    values = {
        "f64": torch.arange(6, dtype=torch.float64).reshape(2, 3) / 7,
        "f16": base[0].half(),
        "bf16": base[1].bfloat16(),
        "i64": torch.tensor([3, -1, 1 << 20]),
        "i32": torch.tensor([7, -8], dtype=torch.int32),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "channels_last": base.contiguous(memory_format=torch.channels_last),
        "transposed": base[2, 0].t(),
        "part": base[1:3, :, 1],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(tensor(2, 2)),
    }
    nested = {
        "state_dict": OrderedDict(values),
        "opts": argparse.Namespace(stylegan_size=1024, lr=0.5, name="e4e", start_from_latent_avg=True, channels=[1, 2]),
        "latent_avg": base[0, 0],
        "more": [tensor(2), {"inner": tensor(3)}],
    }
    torch.save(nested, HERE / "torch_zip.pt")
    torch.save(nested, HERE / "torch_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(base, HERE / "torch_tensor.pt")
    for name, value in values.items():
        expected[f"torch.state_dict.{name}"] = value.detach().float().numpy()
    expected["torch.latent_avg"] = base[0, 0].numpy()
    expected["torch.more.0"] = nested["more"][0].numpy()
    expected["torch.more.1.inner"] = nested["more"][1]["inner"].numpy()
    expected["torch_tensor.tensor"] = base.numpy()


class Part(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(tensor(3, 2).half())
        self.register_buffer("steps", torch.tensor([5]))

    def forward(self, x):
        return x @ self.weight.float()


class Whole(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Part()
        self.logit_scale = torch.nn.Parameter(torch.tensor(4.5))

    def forward(self, x):
        return self.visual(x) * self.logit_scale


def torchscript_file(expected):
    whole = Whole().eval()
    torch.jit.script(whole).save(str(HERE / "torchscript.pt"))
    for name, value in whole.state_dict().items():
        expected[f"torchscript.{name}"] = value.float().numpy()


# --- numpy ------------------------------------------------------------------------------------------------------------

def numpy_files(expected):
    boundary = RANDOM.standard_normal((1, 16))
    np.save(HERE / "boundary.npy", boundary)
    np.save(HERE / "fortran.npy", np.asfortranarray(floats(3, 4)))
    expected["fortran.tensor"] = np.load(HERE / "fortran.npy")
    expected["boundary.tensor"] = boundary
    meta = {"boundary": boundary, "meta_data": {"space": "wp", "n": np.float32(3.0)}}
    np.save(HERE / "boundary_dict.npy", meta, allow_pickle=True)
    expected["boundary_dict.boundary"] = boundary
    w = floats(1, 6, 8)
    np.savez(HERE / "projected_w.npz", w=w, names=np.array(["first", "second"]))
    np.savez_compressed(HERE / "compressed.npz", w=w, zeros=np.zeros((64, 64), np.float32), half=w.astype(np.float16))
    expected["npz.w"] = w
    lists = [["conv", "rgb"], [floats(5, 2), floats(5, 3)]]
    for protocol in (0, 2, 4, 5):
        with open(HERE / f"lists_protocol{protocol}.pkl", "wb") as f:
            pickle.dump(lists, f, protocol=protocol)
    expected["lists.1.0"], expected["lists.1.1"] = lists[1]


# --- NVIDIA's PyTorch snapshots ---------------------------------------------------------------------------------------

persistence = module("torch_utils.persistence")


def _reconstruct_persistent_obj(meta):
    raise NotImplementedError("only the name is needed")


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj
EasyDict = stand_in("dnnlib.util", "EasyDict", (dict,))

SOURCE = "# Copyright (c) 2021, Someone.  All rights reserved.\nopen('must_not_exist', 'w')\n" + "# filler\n" * 40


class Persistent(torch.nn.Module):
    """Pickles as a call of the stub with class name, source and `__dict__`."""

    def __init__(self, name, **attributes):
        super().__init__()
        self.class_name = name
        for key, value in attributes.items():
            setattr(self, key, value)

    def __reduce__(self):
        state = {k: v for k, v in self.__dict__.items() if k != "class_name"}
        meta = EasyDict(type="class", version=6, module_src=SOURCE, class_name=self.class_name, state=state)
        return _reconstruct_persistent_obj, (meta,)


def parameters(owner, **tensors):
    for name, value in tensors.items():
        owner.register_parameter(name, torch.nn.Parameter(value))
    return owner


def buffers(owner, **tensors):
    for name, value in tensors.items():
        owner.register_buffer(name, value)
    return owner


FILTER = torch.tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64, dtype=torch.float32)


def nvidia_generator(half, clamp):
    def conv(inputs, outputs, size, resolution, affine=8):
        weight = tensor(outputs, inputs, size, size)
        layer = Persistent("SynthesisLayer", conv_clamp=clamp, activation="lrelu", use_noise=True)
        if half:
            weight = weight.half().float().contiguous(memory_format=torch.channels_last)
        parameters(layer, weight=weight, bias=tensor(outputs), noise_strength=tensor())
        buffers(layer, noise_const=tensor(resolution, resolution), resample_filter=FILTER.clone())
        layer.affine = parameters(
            Persistent("FullyConnectedLayer", bias_gain=np.float64(1.0)), weight=tensor(inputs, affine), bias=tensor(inputs) + 1
        )
        return layer

    def to_rgb(inputs):
        layer = parameters(Persistent("ToRGBLayer", conv_clamp=clamp), weight=tensor(3, inputs, 1, 1), bias=tensor(3))
        layer.affine = parameters(Persistent("FullyConnectedLayer"), weight=tensor(inputs, 8), bias=tensor(inputs) + 1)
        return layer

    mapping = Persistent("MappingNetwork", num_ws=4)
    for i in range(2):
        gain = np.float64(0.01)
        layer = Persistent("FullyConnectedLayer", bias_gain=gain, weight_gain=gain / np.sqrt(8))
        setattr(mapping, f"fc{i}", parameters(layer, weight=tensor(8, 8) * 100, bias=tensor(8)))
    buffers(mapping, w_avg=tensor(8))
    synthesis = Persistent("SynthesisNetwork", block_resolutions=[4, 8])
    b4, b8 = (buffers(Persistent("SynthesisBlock", use_fp16=half), resample_filter=FILTER.clone()) for _ in range(2))
    parameters(b4, const=tensor(6, 4, 4))
    b4.conv1, b4.torgb = conv(6, 6, 3, 4), to_rgb(6)
    b8.conv0, b8.conv1, b8.torgb = conv(6, 4, 3, 8), conv(4, 4, 3, 8), to_rgb(4)
    synthesis.b4, synthesis.b8 = b4, b8
    generator = Persistent("Generator", z_dim=8, c_dim=0, img_resolution=8, _init_args=(), _init_kwargs=EasyDict(z_dim=8))
    generator.mapping, generator.synthesis = mapping, synthesis
    return generator


def nvidia_files(expected):
    # A frozen layer's weight is a buffer.
    discriminator = Persistent("Discriminator", img_resolution=8)
    discriminator.b4 = Persistent("DiscriminatorEpilogue")
    discriminator.b4.out = buffers(Persistent("FullyConnectedLayer"), weight=tensor(1, 4), bias=tensor(1))
    networks = {name: nvidia_generator(True, 0.5) for name in ("G", "G_ema")}
    augment = buffers(Persistent("AugmentPipe", xflip=1), p=torch.tensor(0.25))
    snapshot = dict(training_set_kwargs=EasyDict(class_name="training.dataset.ImageFolderDataset", max_size=70000),
                    D=discriminator, augment_pipe=augment, **networks)
    for protocol in (2, 3, 4):
        with open(HERE / f"snapshot_protocol{protocol}.pkl", "wb") as f:
            pickle.dump(snapshot, f, protocol=protocol)
    for name, value in networks["G_ema"].state_dict().items():
        expected[f"snapshot.G_ema.{name}"] = value.detach().float().numpy()
    expected["snapshot.D.b4.out.weight"] = discriminator.b4.out.weight.numpy()


# --- NVIDIA's TensorFlow networks -------------------------------------------------------------------------------------

def network_class(module_name):
    def __getstate__(self):
        return self.state

    return stand_in(module_name, "Network", __getstate__=__getstate__)


def network(cls, version, name, variables, components=None, **static):
    made = cls()
    made.state = {"version": version, "name": name, "static_kwargs": EasyDict(static), "components": components or {},
                  "build_module_src": SOURCE, "build_func_name": name, "variables": list(variables.items())}
    if version < 3:
        del made.state["components"]
    return made


def tf_stylegan2():
    def layer(out, inputs, outputs, size, noise=True):
        values = {"weight": floats(size, size, inputs, outputs), "mod_weight": floats(8, inputs),
                  "mod_bias": floats(inputs), "bias": floats(outputs)}
        if noise:
            values["noise_strength"] = np.float32(RANDOM.standard_normal())
        return {f"{out}/{k}": v for k, v in values.items()}

    mapping = {}
    for i in range(2):
        mapping |= {f"Dense{i}/weight": floats(8, 8) * 100, f"Dense{i}/bias": floats(8)}
    synthesis = {f"noise{i}": floats(1, 1, r, r) for i, r in enumerate((4, 8, 8))}
    synthesis |= {"4x4/Const/const": floats(1, 6, 4, 4)}
    synthesis |= layer("4x4/Conv", 6, 6, 3) | layer("4x4/ToRGB", 6, 3, 1, False)
    synthesis |= layer("8x8/Conv0_up", 6, 4, 3) | layer("8x8/Conv1", 4, 4, 3) | layer("8x8/ToRGB", 4, 3, 1, False)
    return {"lod": np.float32(0), "dlatent_avg": floats(8)}, mapping, synthesis


def tf_stylegan2_discriminator():
    names = {"8x8/FromRGB": (1, 1, 3, 4), "8x8/Conv0": (3, 3, 4, 4), "8x8/Conv1_down": (3, 3, 4, 6)}
    values = {}
    for name, shape in (names | {"4x4/Conv": (3, 3, 7, 6), "4x4/Dense0": (96, 6), "Output": (6, 1)}).items():
        values |= {f"{name}/weight": floats(*shape), f"{name}/bias": floats(shape[-1])}
    return values | {"8x8/Skip/weight": floats(1, 1, 4, 6)}


def tf_stylegan():
    mapping = {}
    for i in range(2):
        mapping |= {f"Dense{i}/weight": floats(8, 8) * 100, f"Dense{i}/bias": floats(8)}
    synthesis = {"lod": np.float32(0), "4x4/Const/const": floats(1, 6, 4, 4)}
    synthesis |= {f"noise{i}": floats(1, 1, r, r) for i, r in enumerate((4, 4, 8, 8))}

    def epilogue(name, channels):
        return {f"{name}/Noise/weight": floats(channels), f"{name}/bias": floats(channels),
                f"{name}/StyleMod/weight": floats(8, 2 * channels), f"{name}/StyleMod/bias": floats(2 * channels)}

    synthesis |= epilogue("4x4/Const", 6) | {"4x4/Conv/weight": floats(3, 3, 6, 6)} | epilogue("4x4/Conv", 6)
    synthesis |= {"8x8/Conv0_up/weight": floats(3, 3, 6, 4)} | epilogue("8x8/Conv0_up", 4)
    synthesis |= {"8x8/Conv1/weight": floats(3, 3, 4, 4)} | epilogue("8x8/Conv1", 4)
    for lod, channels in enumerate((4, 6)):
        synthesis |= {f"ToRGB_lod{lod}/weight": floats(1, 1, channels, 3), f"ToRGB_lod{lod}/bias": floats(3)}
    return {"dlatent_avg": floats(8)}, mapping, synthesis


def tf_pggan(fused):
    values = {"lod": np.float32(0), "4x4/Dense/weight": floats(8, 6 * 16), "4x4/Dense/bias": floats(6),
              "4x4/Conv/weight": floats(3, 3, 6, 6), "4x4/Conv/bias": floats(6)}
    up, shape = ("Conv0_up", (3, 3, 4, 6)) if fused else ("Conv0", (3, 3, 6, 4))
    values |= {f"8x8/{up}/weight": floats(*shape), f"8x8/{up}/bias": floats(4)}
    values |= {"8x8/Conv1/weight": floats(3, 3, 4, 4), "8x8/Conv1/bias": floats(4)}
    for lod, channels in enumerate((4, 6)):
        values |= {f"ToRGB_lod{lod}/weight": floats(1, 1, channels, 3), f"ToRGB_lod{lod}/bias": floats(3)}
    return values


def tensorflow_files(expected):
    def keep(name, groups):
        for prefix, values in groups.items():
            for key, value in values.items():
                # Variables without dimensions are numpy numbers, not arrays.
                value = np.asarray(value)
                expected[f"{name}.{prefix}{key}"] = value

    def styled(cls, version, parts, **static):
        top, mapping, synthesis = parts
        components = EasyDict(mapping=network(cls, version, "G_mapping", mapping),
                              synthesis=network(cls, version, "G_synthesis", synthesis))
        return network(cls, version, "G", top, components, resolution=8, num_channels=3, **static)

    def dump(name, value, protocol):
        with open(HERE / name, "wb") as f:
            pickle.dump(value, f, protocol=protocol)

    cls = network_class("dnnlib.tflib.network")
    other, average = tf_stylegan2(), tf_stylegan2()
    d = network(cls, 4, "D", tf_stylegan2_discriminator(), resolution=8)
    dump("tf_stylegan2.pkl", (styled(cls, 4, other), d, styled(cls, 4, average)), 4)
    keep("tf_stylegan2", {"": average[0], "mapping/": average[1], "synthesis/": average[2]})
    other, average = tf_stylegan(), tf_stylegan()
    dump("tf_stylegan.pkl", (styled(cls, 3, other), network(cls, 3, "D", {}), styled(cls, 3, average, fused_scale="auto")), 4)
    keep("tf_stylegan", {"": average[0], "mapping/": average[1], "synthesis/": average[2]})
    cls = network_class("tfutil")
    for name, fused in (("tf_pggan_fused", True), ("tf_pggan", False)):
        values = tf_pggan(fused)
        nets = tuple(network(cls, 2, n, v, fused_scale=fused) for n, v in (("G", tf_pggan(fused)), ("D", {}), ("Gs", values)))
        dump(f"{name}.pkl", nets, 2)
        keep(name, {"": values})


# --- what must be refused -----------------------------------------------------------------------------------------------

class Evil:
    def __reduce__(self):
        import os

        return os.system, ("echo must not run",)


def hostile_files():
    (HERE / "asks_for_os_system.pkl").write_bytes(pickle.dumps({"G_ema": Evil()}, protocol=2))
    buffer = io.BytesIO()
    torch.save({"w": tensor(2), "x": Evil()}, buffer)
    (HERE / "asks_for_os_system.pt").write_bytes(buffer.getvalue())
    cycle = []
    cycle.append(cycle)
    (HERE / "cycle.pkl").write_bytes(pickle.dumps({"a": cycle, "w": floats(2)}, protocol=4))
    deep = floats(2)
    for _ in range(200):
        deep = [deep]
    (HERE / "deep.pkl").write_bytes(pickle.dumps(deep, protocol=4))
    wide = [floats(2)]
    for _ in range(25):
        wide = [wide, wide]
    (HERE / "doubling.pkl").write_bytes(pickle.dumps(wide, protocol=4))


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    torch.manual_seed(0)
    expected = {}
    torch_files(expected)
    torchscript_file(expected)
    numpy_files(expected)
    nvidia_files(expected)
    tensorflow_files(expected)
    hostile_files()
    save_safetensors(HERE / "expected.safetensors", expected)
