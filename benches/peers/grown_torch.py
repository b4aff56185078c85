"""Plain PyTorch generators of PGGAN and StyleGAN (own code, the ATen operators of genforce's), to time beside ours.

  python grown_torch.py check GOLDEN_DIR          compare with gan-core/tests/golden
  python grown_torch.py time pggan|stylegan [RES] [--batch N] [--threads N] [--runs N]   prints the faster form's median seconds
"""
import argparse, statistics, sys, time
import torch
import torch.nn.functional as F


def norm(x, dims):
    return x * (x.square().mean(dims, keepdim=True) + 1e-8).rsqrt()


def scaled(t, name, gain=2 ** 0.5):
    w = t[name]
    return w * gain / w[0].numel() ** 0.5


class Grown:
    """Convolutions of both; `fused` doubles by a transposed convolution instead of repeated pixels."""

    def __init__(self, t, fused):
        self.t, self.fused = t, fused
        self.layers = 1 + max(int(k.split('.')[-2][5:]) for k in t if k.endswith('.weight') and k.split('.')[-2].startswith('layer'))
        self.w = {}
        for i in range(self.layers):
            name = f'{self.prefix}layer{i}.weight'
            if name in t:
                w = scaled(t, name)
                if fused and i > 0 and i % 2 == 0:
                    w = F.pad(w, (1, 1, 1, 1))
                    w = (w[:, :, 1:, 1:] + w[:, :, :-1, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, :-1]).transpose(0, 1).flip(2, 3).contiguous()
                self.w[i] = w
        self.rgb = scaled(t, f'{self.prefix}output{self.layers // 2 - 1}.weight', 1.0)
        self.rgb_bias = t[f'{self.prefix}output{self.layers // 2 - 1}.bias']

    def conv(self, x, i, bias=None):
        if i > 0 and i % 2 == 0:
            if self.fused:
                return F.conv_transpose2d(x, self.w[i], bias, stride=2, padding=1)
            x = F.interpolate(x, scale_factor=2)
        return F.conv2d(x, self.w[i], bias, padding=self.w[i].shape[-1] - 1 if i == 0 else 1)


class Pggan(Grown):
    prefix = ''

    def __call__(self, z):
        x = norm(z, 1)[:, :, None, None]
        for i in range(self.layers):
            x = F.leaky_relu(self.conv(norm(x, 1), i, self.t[f'layer{i}.bias']), 0.2)
        return F.conv2d(norm(x, 1), self.rgb, self.rgb_bias)


class StyleGan(Grown):
    prefix = 'synthesis.'

    def __init__(self, t, fused):
        super().__init__(t, fused)
        self.blur = torch.outer(*[torch.tensor([.25, .5, .25])] * 2)[None, None]

    def __call__(self, wp):
        t, x = self.t, self.t['synthesis.layer0.const'].expand(len(wp), -1, -1, -1)
        for i in range(self.layers):
            p = f'synthesis.layer{i}.'
            if i > 0:
                x = self.conv(x, i)
            if i > 0 and i % 2 == 0:
                x = F.conv2d(x, self.blur.expand(x.shape[1], -1, -1, -1), padding=1, groups=x.shape[1])
            x = x + t[p + 'apply_noise.noise'] * t[p + 'apply_noise.weight'][:, None, None]
            x = F.leaky_relu(x + t[p + 'bias'][:, None, None], 0.2)
            x = norm(x - x.mean((2, 3), keepdim=True), (2, 3))
            s = F.linear(wp[:, i], scaled(t, p + 'style.weight', 1.0), t[p + 'style.bias'])
            s = s.reshape(len(wp), 2, -1, 1, 1)
            x = x * (s[:, 0] + 1) + s[:, 1]
        return F.conv2d(x, self.rgb, self.rgb_bias)


def random_weights(family, res):
    g = torch.Generator().manual_seed(0)
    rn = lambda *s: torch.randn(*s, generator=g)
    t, r, prev, k, p = {}, 4, None, 0, family.prefix
    while r <= res:
        c = min(16384 // r, 512)
        for i, ci in ((2 * k, prev), (2 * k + 1, c)):
            name = f'{p}layer{i}.'
            if family is StyleGan:
                t[name + 'apply_noise.noise'], t[name + 'apply_noise.weight'] = rn(1, 1, r, r), rn(c) * 0.1
                t[name + 'style.weight'], t[name + 'style.bias'] = rn(2 * c, 512), torch.zeros(2 * c)
            t[name + 'bias'] = rn(c) * 0.1
            if ci is None and family is StyleGan:
                t[name + 'const'] = rn(1, c, 4, 4)
            else:
                t[name + 'weight'] = rn(c, 512, 4, 4) if ci is None else rn(c, ci, 3, 3)
        t[f'{p}output{k}.weight'], t[f'{p}output{k}.bias'] = rn(3, c, 1, 1), rn(3)
        r, prev, k = 2 * r, c, k + 1
    return t


def check(folder):
    from safetensors.torch import load_file
    for family, case, code in ((Pggan, 'pggan/genforce_res32', 'in.z'), (StyleGan, 'stylegan1/genforce_res32', 'out.wp')):
        file = load_file(f'{folder}/{case}.safetensors')
        t = {k[8:]: v for k, v in file.items() if k.startswith('weights.')}
        for fused in (False, True):
            error = (family(t, fused)(file[code]) - file['out.image']).abs().max() / file['out.image'].abs().max()
            print(case, f'fused={fused}', error.item())


def main():
    p = argparse.ArgumentParser()
    p.add_argument('mode', choices=['check', 'time'])
    p.add_argument('what')
    p.add_argument('res', nargs='?', type=int, default=256)
    p.add_argument('--batch', type=int, default=1)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--runs', type=int, default=5)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    with torch.no_grad():
        if a.mode == 'check':
            return check(a.what)
        family = {'pggan': Pggan, 'stylegan': StyleGan}[a.what]
        t, medians = random_weights(family, a.res), []
        shape = (a.batch, 512) if family is Pggan else (a.batch, 2 * a.res.bit_length() - 4, 512)
        code = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
        for fused in (False, True):
            net, times = family(t, fused), []
            for _ in range(a.runs + 1):
                start = time.perf_counter()
                net(code)
                times.append(time.perf_counter() - start)
            medians.append(statistics.median(times[1:]))
            print(f'fused={fused} median {medians[-1]:.4f} s', file=sys.stderr)
        print(f'{min(medians):.4f}')


main()
