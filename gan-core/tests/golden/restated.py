"""Writes the golden files of PGGAN's and StyleGAN's discriminators: `python restated.py`, with torch and safetensors.

This is no original code: it states the networks once more, as the papers and genforce's options describe them, in plain
PyTorch and float64. See README.md beside it.
"""

import json
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
SQRT2 = 2 ** 0.5


class Net:
    """Tensors in genforce's layout, and what to do with them."""

    def __init__(self, style, seed, resolution, channels, colours=3, labels=0, fused=False, group=4, std=1):
        self.style, self.fused, self.group, self.std, self.labels = style, fused, group, std, labels
        self.channels, self.colours = channels, colours
        self.blocks = len(channels)
        assert resolution == 4 << (self.blocks - 1)
        random = torch.Generator().manual_seed(seed)
        self.t = {}

        def put(name, *shape):
            weight = torch.randn(*shape, generator=random)
            bias = 0.3 * torch.randn(shape[0], generator=random)
            self.t[name + ".weight"], self.t[name + ".bias"] = weight.double(), bias.double()

        for i, c in enumerate(channels):
            put(f"input{i}", c, colours, 1, 1)
            if i + 1 < self.blocks:
                put(f"layer{2 * i}", c, c, 3, 3)
                put(f"layer{2 * i + 1}", channels[i + 1], c, 3, 3)
                if style:
                    taps = torch.tensor([1.0, 2.0, 1.0]).double() / 4
                    blur = torch.outer(taps, taps).expand(c, 1, 3, 3).clone()
                    self.t[f"layer{2 * i + 1}.blur.kernel"] = blur
        b, c = self.blocks - 1, channels[-1]
        put(f"layer{2 * b}", c, c + std, 3, 3)
        put(f"layer{2 * b + 1}", c, 16 * c)
        put(f"layer{2 * b + 2}", max(labels, 1) if style else 1 + labels, c)
        self.t["lod"] = torch.zeros(()).double()
        self.margin, self.spread = float("inf"), float("inf")

    def act(self, x):
        self.margin = min(self.margin, x.detach().abs().min().item())
        return F.leaky_relu(x, 0.2)

    def weight(self, name, gain=SQRT2):
        w = self.t[name + ".weight"]
        return w * (gain / w[0].numel() ** 0.5)

    def conv(self, name, x):
        w = self.weight(name)
        return F.conv2d(x, w, self.t[name + ".bias"], padding=w.shape[2] // 2)

    def halving(self, name, x):
        """The second convolution of a block."""
        if self.style:
            x = F.conv2d(x, self.t[name + ".blur.kernel"], padding=1, groups=x.shape[1])
        if self.fused:
            # The mean of the kernel at four places, with stride 2.
            w = F.pad(self.weight(name), (1, 1, 1, 1))
            w = (w[:, :, 1:, 1:] + w[:, :, :-1, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, :-1]) / 4
            return self.act(F.conv2d(x, w, self.t[name + ".bias"], stride=2, padding=1))
        x = self.conv(name, x)
        if self.style:
            return self.act(F.avg_pool2d(x, 2))
        return F.avg_pool2d(self.act(x), 2)

    def minibatch_std(self, x):
        if self.std == 0:
            return x
        n, c, h, w = x.shape
        size = n if self.group is None else min(self.group, n)
        maps = torch.zeros(n, self.std, h, w, dtype=x.dtype)
        groups = n // size
        for m in range(groups):
            members = list(range(m, n, groups))
            spread = torch.sqrt(x[members].var(0, unbiased=False) + 1e-8)
            self.spread = min(self.spread, spread.detach().min().item())
            for f in range(self.std):
                block = spread[f * c // self.std:(f + 1) * c // self.std]
                for j in members:
                    maps[j, f] = block.mean()
        return torch.cat([x, maps], 1)

    def scores(self, image, lod=0.0, visit=None):
        x = None
        for i in range(self.blocks):
            if lod >= i + 1:
                image = F.avg_pool2d(image, 2)
                continue
            if x is None:
                x = self.act(self.conv(f"input{i}", image))
            elif i - 1 < lod < i:
                share = lod - int(lod)
                x = share * self.act(self.conv(f"input{i}", image)) + (1 - share) * x
            if i + 1 == self.blocks:
                break
            x = self.halving(f"layer{2 * i + 1}", self.act(self.conv(f"layer{2 * i}", x)))
            if visit is not None:
                visit(f"b{4 << (self.blocks - 1 - i)}", x)
            if lod > i:
                image = F.avg_pool2d(image, 2)
        b = self.blocks - 1
        x = self.act(self.conv(f"layer{2 * b}", self.minibatch_std(x))).flatten(1)
        x = self.act(F.linear(x, self.weight(f"layer{2 * b + 1}"), self.t[f"layer{2 * b + 1}.bias"]))
        return F.linear(x, self.weight(f"layer{2 * b + 2}", 1.0), self.t[f"layer{2 * b + 2}.bias"])

    def logits(self, image, labels, lod=0.0):
        scores = self.scores(image, lod)
        if self.style and self.labels:
            return (scores * labels).sum(1, keepdim=True)
        return scores[:, :1]


def write(area, case, seed, batch, lods, gamma, **config):
    net = Net(area == "stylegan1", seed, **config)
    random = torch.Generator().manual_seed(seed + 1)
    normal = lambda *shape: torch.randn(*shape, generator=random).double()
    size = config["resolution"]
    image = normal(batch, net.colours, size, size).requires_grad_()
    cotangent = normal(batch, 1)
    labels = normal(batch, net.labels) if net.style and net.labels else None

    out = {}
    def visit(name, x):
        out["x." + name] = x
    scores = net.scores(image, 0.0, visit)
    if not net.style:
        out["scores"] = scores
    logits = net.logits(image, labels)
    out["logits"] = logits
    out["grad_image"] = torch.autograd.grad((logits * cotangent).sum(), image, retain_graph=True)[0]
    slope = torch.autograd.grad(logits.sum(), image, create_graph=True)[0]
    penalty = slope.square().sum([1, 2, 3])
    out["r1_grads"], out["r1_penalty"] = slope, penalty
    if net.std:
        loss = penalty.mean() * gamma / 2
        out["r1_grad_image"] = torch.autograd.grad(loss, image)[0]
    for lod in lods:
        out[f"logits_lod{lod:g}"] = net.logits(image, labels, lod)
    assert net.margin > 1e-6, f"{case}: too close to a kink ({net.margin}), take another seed"

    # A root near zero bends too much for single precision.
    assert net.spread > 4e-3, f"{case}: too small a deviation ({net.spread}), take another seed"

    params = {"net": f"{'StyleGAN' if net.style else 'PGGAN'} discriminator", "seed": seed, "batch": batch,
              "r1_gamma": gamma, "lods": lods, "fused_scale": net.fused,
              "minibatch_std_group_size": net.group, "label_size": net.labels}
    tensors = {f"weights.{k}": v for k, v in net.t.items()}
    tensors |= {"in.image": image, "in.grad_out": cotangent}
    if labels is not None:
        tensors["in.c"] = labels
    tensors |= {f"out.{k}": v for k, v in out.items()}
    tensors = {k: v.detach().float().contiguous() for k, v in tensors.items()}
    metadata = {"kind": f"{area}/discriminator", "case": case, "params": json.dumps(params),
                "source": "a statement of our own, restated.py; not the output of an original",
                "tolerance": "1e-4", "precision": "float64"}
    save_file(tensors, os.path.join(HERE, area, case + ".safetensors"), metadata)
    print(area, case, "margin", net.margin, "spread", net.spread)


write("pggan", "discriminator_res16", 11, 4, [0.4, 1, 1.7, 2], 10.0,
      resolution=16, channels=[4, 6, 8], group=16)
write("pggan", "discriminator_res16_fused_classes", 62, 6, [0.25, 1.5], 2.0,
      resolution=16, channels=[4, 8, 6], colours=1, labels=3, fused=True, group=3)
write("pggan", "discriminator_res8_nostd", 35, 3, [0.9, 1], 1.0,
      resolution=8, channels=[6, 8], group=0, std=0)
write("stylegan1", "discriminator_res32", 1292, 8, [0.6, 1, 2.3, 3], 10.0,
      resolution=32, channels=[3, 4, 6, 8], group=4, std=2)
write("stylegan1", "discriminator_res16_fused_labels", 62, 4, [0.5, 2], 2.0,
      resolution=16, channels=[4, 6, 8], labels=3, fused=True, group=4)
write("stylegan1", "discriminator_res8_whole_batch", 65, 3, [0.1], 1.0,
      resolution=8, channels=[6, 8], group=None)
