"""A training step of a small StyleGAN2 in plain PyTorch (own code), to time beside `cargo bench --bench training`.

  python training_torch.py [--threads N] [--runs N] [--batch N]        prints the faster form's median seconds of both steps

Gradients of softplus(-D(G(z))) in all weights of the generator, then of softplus(D(G(z))) + softplus(-D(real)) in all weights
of the discriminator; no penalties, no optimiser.
"""
import argparse, sys, time
import torch
import torch.nn.functional as F
from stylegan2_torch import Synthesis

RES, BASE, MOST, DIM, MAPPING = 64, 1024, 64, 64, 4
BUFFERS = ('resample_filter', 'noise_const', 'w_avg')


def lrelu(x, gain=2 ** 0.5):
    return F.leaky_relu(x, 0.2) * gain


def mapping(t, z):
    x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
    for i in range(MAPPING):
        w = t[f'mapping.fc{i}.weight']
        x = lrelu(F.linear(x, w * (0.01 * w.shape[1] ** -0.5), t[f'mapping.fc{i}.bias'] * 0.01))
    return x


def generate(t, z, fused):
    net = Synthesis({k[10:]: v for k, v in t.items() if k.startswith('synthesis.')})
    w = mapping(t, z)
    return net(w[:, None].expand(-1, 2 * len(net.res), -1), fused)


class Discriminator:
    def __init__(self, t):
        self.t = t
        f = torch.tensor([1., 3., 3., 1.])
        f = torch.outer(f, f)
        self.f = f / f.sum()

    def fir(self, x, pad, stride=1):
        c = x.shape[1]
        return F.conv2d(x, self.f[None, None].repeat(c, 1, 1, 1), stride=stride, padding=pad, groups=c)

    def weight(self, name):
        w = self.t[name + '.weight']
        return w * w[0].numel() ** -0.5

    def conv(self, x, name, down=1, gain=2 ** 0.5):
        w, b = self.weight(name), self.t[name + '.bias']
        y = F.conv2d(x, w, b, padding=w.shape[-1] // 2) if down == 1 else F.conv2d(self.fir(x, 2), w, b, stride=2)
        return lrelu(y, gain)

    def linear(self, x, name):
        return F.linear(x, self.weight(name), self.t[name + '.bias'])

    def __call__(self, x):
        r = RES
        x = self.conv(x, f'b{r}.fromrgb')
        while r > 4:
            around = F.conv2d(self.fir(x, 1, 2), self.weight(f'b{r}.skip')) * 0.5 ** 0.5
            # The gain of the activation and that of the sum, in one factor.
            x = around + self.conv(self.conv(x, f'b{r}.conv0'), f'b{r}.conv1', 2, 1.0)
            r //= 2
        n, c, h, w = x.shape
        y = x.reshape(min(4, n), -1, c, h, w)
        y = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean([1, 2, 3])
        x = torch.cat([x, y.reshape(-1, 1, 1, 1).repeat(min(4, n), 1, h, w)], 1)
        x = self.conv(x, 'b4.conv')
        return self.linear(lrelu(self.linear(x.flatten(1), 'b4.fc')), 'b4.out')


def random_weights():
    gen, dis, prev = {}, {}, None
    rn = torch.randn
    for i in range(MAPPING):
        gen[f'mapping.fc{i}.weight'] = rn(DIM, DIM) * 100; gen[f'mapping.fc{i}.bias'] = torch.zeros(DIM)
    for r in [2 ** k for k in range(2, RES.bit_length())]:
        c = min(BASE // r, MOST)
        if prev is None: gen['synthesis.b4.const'] = rn(c, 4, 4)
        for name, i, o, k in ([('conv0', prev, c, 3)] if prev else []) + [('conv1', c, c, 3), ('torgb', c, 3, 1)]:
            p = f'synthesis.b{r}.{name}.'
            gen[p + 'weight'] = rn(o, i, k, k); gen[p + 'bias'] = torch.zeros(o)
            gen[p + 'affine.weight'] = rn(i, DIM); gen[p + 'affine.bias'] = torch.ones(i)
            if k == 3: gen[p + 'noise_const'] = rn(r, r); gen[p + 'noise_strength'] = torch.tensor(0.)
        if prev:
            for name, i, o in [('conv0', c, c), ('conv1', c, prev)]:
                dis[f'b{r}.{name}.weight'] = rn(o, i, 3, 3); dis[f'b{r}.{name}.bias'] = torch.zeros(o)
            dis[f'b{r}.skip.weight'] = rn(prev, c, 1, 1)
        prev = c
    dis[f'b{RES}.fromrgb.weight'] = rn(prev, 3, 1, 1); dis[f'b{RES}.fromrgb.bias'] = torch.zeros(prev)
    c = min(BASE // 4, MOST)
    for name, shape in [('conv', (c, c + 1, 3, 3)), ('fc', (c, c * 16)), ('out', (1, c))]:
        dis[f'b4.{name}.weight'] = rn(*shape); dis[f'b4.{name}.bias'] = torch.zeros(shape[0])
    return gen, dis


def variables(t):
    return {k: v.clone().requires_grad_(not k.endswith(BUFFERS)) for k, v in t.items()}


def gradients(loss, t):
    names = [k for k, v in t.items() if v.requires_grad]
    return dict(zip(names, torch.autograd.grad(loss, [t[k] for k in names])))


def steps(gen, dis, z, real, fused):
    t0 = time.perf_counter()
    g = variables(gen)
    loss = F.softplus(-Discriminator(dis)(generate(g, z, fused))).mean()
    found = gradients(loss, g)
    t1 = time.perf_counter()
    d = variables(dis)
    with torch.no_grad(): fake = generate(gen, z, fused)
    judge = Discriminator(d)
    found.update(gradients(F.softplus(judge(fake)).mean() + F.softplus(-judge(real)).mean(), d))
    return found, t1 - t0, time.perf_counter() - t1


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--threads', type=int, default=2); p.add_argument('--runs', type=int, default=10)
    p.add_argument('--batch', type=int, default=16)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    gen, dis = random_weights()
    z, real = torch.randn(a.batch, DIM), torch.randn(a.batch, 3, RES, RES)
    best = None
    for fused in (False, True):
        times = [steps(gen, dis, z, real, fused)[1:] for _ in range(a.runs + 1)][1:]
        g, d, both = (sorted(x)[len(times) // 2] for x in (*zip(*times), [sum(x) for x in times]))
        best = min(best or both, both)
        print(f'fused={fused} generator {g:.4f} discriminator {d:.4f} both {both:.4f} s', file=sys.stderr)
    print(f'{best:.4f}')


main()
