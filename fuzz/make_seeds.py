"""Writes the seeds that no test file is small enough for: tiny networks in each container, by the real writers.

Run by hand: `python3 make_seeds.py` (PyTorch and numpy). Values are random and mean nothing.
"""

import argparse
import pathlib
import pickle
import shutil
import sys
from collections import OrderedDict

HERE = pathlib.Path(__file__).parent
TESTS = HERE / "../gan-core/tests/checkpoints"
sys.path.insert(0, str(TESTS))

import make_containers as make  # noqa: E402
import torch  # noqa: E402

make.SOURCE = "# Copyright (c) 2021, Someone.\n"
SEEDS = HERE / "seeds"
COPIES = {
    "torch_zip": ["torch_zip.pt", "torch_tensor.pt", "asks_for_os_system.pt"],
    "torch_legacy": ["torch_legacy.pt"],
    "torchscript": ["torchscript.pt"],
    "pickle": ["lists_protocol0.pkl", "lists_protocol2.pkl", "lists_protocol4.pkl", "lists_protocol5.pkl", "cycle.pkl",
               "deep.pkl", "doubling.pkl", "asks_for_os_system.pkl", "tf_stylegan.pkl"],
    "npy": ["boundary.npy", "boundary_dict.npy", "fortran.npy"],
    "npz": ["compressed.npz", "projected_w.npz"],
}


def rosinality():
    t = make.tensor
    layer = {"conv.weight": t(1, 1, 1, 3, 3), "conv.modulation.weight": t(1, 2), "conv.modulation.bias": t(1),
             "noise.weight": t(1), "activate.bias": t(1)}
    rgb = {"conv.weight": t(1, 3, 1, 1, 1), "conv.modulation.weight": t(1, 2), "conv.modulation.bias": t(1),
           "bias": t(1, 3, 1, 1)}
    names = {"input.input": t(1, 1, 4, 4), "style.1.weight": t(2, 2), "style.1.bias": t(2)}
    for owner, part in (("conv1", layer), ("to_rgb1", rgb), ("convs.0", layer), ("convs.1", layer), ("to_rgbs.0", rgb)):
        names |= {f"{owner}.{key}": value.clone() for key, value in part.items()}
    names |= {"convs.0.conv.blur.kernel": make.FILTER * 4, "to_rgbs.0.upsample.kernel": make.FILTER * 4}
    names |= {f"noises.noise_{i}": t(1, 1, r, r) for i, r in enumerate((4, 8, 8))}
    return OrderedDict(names)


def genforce_pggan():
    t = make.tensor
    return OrderedDict({"layer0.weight": t(1, 2, 4, 4), "layer0.bias": t(1), "layer1.weight": t(1, 1, 3, 3), "layer1.bias": t(1),
                        "output0.weight": t(3, 1, 1, 1), "output0.bias": t(3), "lod": torch.tensor(0.0)})


def snapshot():
    part = make.parameters(make.Persistent("SynthesisLayer", conv_clamp=256.0), weight=make.tensor(1, 1, 3, 3), bias=make.tensor(1))
    b4 = make.buffers(make.Persistent("SynthesisBlock"), resample_filter=make.FILTER.clone())
    b4.conv1 = part
    generator = make.Persistent("Generator", z_dim=2, _init_kwargs=make.EasyDict(z_dim=2))
    generator.synthesis = make.Persistent("SynthesisNetwork")
    generator.synthesis.b4 = b4
    return {"G_ema": generator, "training_set_kwargs": make.EasyDict(max_size=7)}


def tensorflow():
    cls = make.network_class("dnnlib.tflib.network")
    values = {"lod": make.np.float32(0), "4x4/Dense/weight": make.floats(2, 16), "4x4/Dense/bias": make.floats(1),
              "ToRGB_lod0/weight": make.floats(1, 1, 1, 3), "ToRGB_lod0/bias": make.floats(3)}
    return tuple(make.network(cls, 4, name, values, resolution=4) for name in ("G", "D", "Gs"))


if __name__ == "__main__":
    for target in [*COPIES, "safetensors"]:
        shutil.rmtree(SEEDS / target, ignore_errors=True)
        (SEEDS / target).mkdir(parents=True)
    for target, names in COPIES.items():
        for name in names:
            shutil.copy(TESTS / "containers" / name, SEEDS / target)
    for name, network in (("rosinality", rosinality()), ("pggan", genforce_pggan())):
        values = {"g_ema": network, "latent_avg": make.tensor(2), "opts": argparse.Namespace(size=8)}
        torch.save(values, SEEDS / f"torch_zip/{name}.pt")
        torch.save(network, SEEDS / f"torch_legacy/{name}.pt", _use_new_zipfile_serialization=False)
        make.np.savez(SEEDS / f"npz/{name}.npz", **{key: value.numpy() for key, value in network.items()})
        make.save_safetensors(SEEDS / f"safetensors/{name}.safetensors", {key: value.numpy() for key, value in network.items()})
    for protocol in (0, 2, 4):
        (SEEDS / f"pickle/snapshot{protocol}.pkl").write_bytes(pickle.dumps(snapshot(), protocol=protocol))
        (SEEDS / f"pickle/tensorflow{protocol}.pkl").write_bytes(pickle.dumps(tensorflow(), protocol=protocol))
