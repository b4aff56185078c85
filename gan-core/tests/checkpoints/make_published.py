"""Writes the files of `published/`: what code bases publish beside plain state dicts, by torch's own writers.

Run by hand: `python3 make_published.py` (PyTorch). Generators are the small ones of this folder, so that their images are
known; encoders, mappers and the like have the names of the originals and random numbers.
"""

import argparse
import json
import pathlib
import struct
from collections import OrderedDict

import torch

HERE = pathlib.Path(__file__).parent
OUT = HERE / "published"


def read(name):
    """The tensors of a safetensors file of this folder."""
    data = (HERE / f"{name}.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    tensors = OrderedDict()
    for key, info in json.loads(data[8 : 8 + size]).items():
        if key != "__metadata__":
            start, end = (8 + size + at for at in info["data_offsets"])
            tensors[key] = torch.frombuffer(bytearray(data[start:end] or b"\0" * 4), dtype=torch.float32)
            tensors[key] = tensors[key][: (end - start) // 4].reshape(info["shape"])
    return tensors


def random_like(tensors):
    return OrderedDict((key, torch.randn(value.shape)) for key, value in tensors.items())


def under(prefix, tensors):
    return OrderedDict((f"{prefix}{key}", value) for key, value in tensors.items())


# --- genforce: training files and those of its model zoo ----------------------------------------------------------------

def genforce():
    average = read("pggan_genforce")
    golden = read("../golden/pggan/discriminator_res16")
    discriminator = OrderedDict((k.removeprefix("weights."), v) for k, v in golden.items() if k.startswith("weights."))
    networks = {"generator": random_like(average), "discriminator": discriminator, "generator_smooth": average}
    torch.save(networks, OUT / "genforce_zoo.pth")
    running = {"models": {"generator": average, "discriminator": discriminator}, "running_stats": {"loss": 0.5}, "iter": 1000}
    torch.save(running, OUT / "genforce_training.pth", _use_new_zipfile_serialization=False)


# --- Hugging Face's BigGAN ------------------------------------------------------------------------------------------------

def biggan():
    torch.save(read("biggan_huggingface"), OUT / "pytorch_model.bin", _use_new_zipfile_serialization=False)


# --- encoders and mappers around rosinality's generator -------------------------------------------------------------------

def encoder():
    return OrderedDict({
        "input_layer.0.weight": torch.randn(2, 3, 3, 3), "input_layer.1.running_mean": torch.randn(2),
        "input_layer.1.num_batches_tracked": torch.tensor(7), "input_layer.2.weight": torch.randn(2),
        "body.0.res_layer.1.weight": torch.randn(2, 2, 3, 3), "styles.0.convs.0.weight": torch.randn(2, 2, 3, 3),
        "styles.0.linear.weight": torch.randn(10, 10),
    })


def encoders():
    decoder = read("stylegan2_rosinality")
    state = under("encoder.", encoder()) | under("decoder.", decoder)
    # The same average for each of the four layers, as the original saves it.
    average = torch.randn(1, 10).repeat(4, 1)
    opts = dict(encoder_type="Encoder4Editing", stylegan_size=8, start_from_latent_avg=True, lpips_lambda=0.8, device="cuda:0",
                checkpoint_path=pathlib.PurePosixPath("e4e_ffhq_encode.pt"), progressive_steps=[0, 20000, 22000])
    e4e = {"state_dict": state, "opts": argparse.Namespace(**opts), "latent_avg": average}
    torch.save(e4e, OUT / "e4e_namespace.pt")
    psp = {"state_dict": state, "opts": opts | {"encoder_type": "GradualStyleEncoder"}, "latent_avg": average}
    torch.save(psp, OUT / "psp_dict.pt", _use_new_zipfile_serialization=False)
    mapper = OrderedDict()
    for level in ("course_mapping", "medium_mapping", "fine_mapping"):
        for i in range(1, 5):
            mapper |= {f"{level}.mapping.{i}.weight": torch.randn(10, 10), f"{level}.mapping.{i}.bias": torch.randn(10)}
    state = under("mapper.", mapper) | under("decoder.", decoder) | {"face_pool.kernel": torch.randn(1)}
    opts = {"mapper_type": "LevelsMapper", "no_coarse_mapper": False, "no_medium_mapper": False, "description": "surprised"}
    torch.save({"state_dict": state, "opts": opts}, OUT / "styleclip_mapper.pt")
    # An identity network by itself.
    arcface = encoder() | {"output_layer.3.weight": torch.randn(4, 8), "output_layer.4.weight": torch.randn(4)}
    torch.save(arcface, OUT / "model_ir_se50.pth", _use_new_zipfile_serialization=False)


# --- CLIP: what OpenAI publishes is TorchScript -----------------------------------------------------------------------------

class Visual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 4, 2, stride=2, bias=False)
        self.class_embedding = torch.nn.Parameter(torch.randn(4))
        self.proj = torch.nn.Parameter(torch.randn(4, 2))

    def forward(self, x):
        return (self.conv1(x).flatten(2).mean(2) + self.class_embedding) @ self.proj


class Clip(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Visual()
        self.token_embedding = torch.nn.Embedding(5, 4)
        self.positional_embedding = torch.nn.Parameter(torch.randn(3, 4))
        self.text_projection = torch.nn.Parameter(torch.randn(4, 2))
        self.logit_scale = torch.nn.Parameter(torch.tensor(4.6))
        # As the original: sizes of the whole, which are no weights.
        self.register_buffer("input_resolution", torch.tensor(4))

    def forward(self, x):
        return self.visual(x) * self.logit_scale.exp()


def clip():
    model = Clip().half().eval()
    torch.jit.script(model).save(str(OUT / "clip_torchscript.pt"))
    torch.save(model.state_dict(), OUT / "clip_state_dict.pt")


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    torch.manual_seed(0)
    genforce()
    biggan()
    encoders()
    clip()
