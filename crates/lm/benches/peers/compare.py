"""The same training in PyTorch, in f32 and in f64, from the same parameters on the same batches.

    python compare.py losses FOLDER    prints one JSON object with the losses of each step
    python compare.py speed            prints tokens per CPU second, one thread, eager

FOLDER holds what `tests/it/torch.rs` writes: meta.json, parameters.f32, tokens.u32.
"""

import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F


def rotary(sizes, length, dtype):
    half = sizes["dim"] // sizes["heads"] // 2
    rates = sizes["rope_theta"] ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return angles.cos().to(dtype), angles.sin().to(dtype)


def turn(x, table):
    cosine, sine = table
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), dim=-1)


def loss_of(sizes, p, table, inputs, targets):
    batch, length = inputs.shape
    dim, heads, kv_heads = sizes["dim"], sizes["heads"], sizes["kv_heads"]
    x = p["model.embed_tokens.weight"][inputs]
    norm = lambda x, name: F.rms_norm(x, (dim,), p[name], sizes["norm_eps"])
    split = lambda x, heads: x.view(batch, length, heads, dim // sizes["heads"]).transpose(1, 2)
    for layer in range(sizes["layers"]):
        part = lambda name: p[f"model.layers.{layer}.{name}.weight"]
        h = norm(x, f"model.layers.{layer}.input_layernorm.weight")
        q = turn(split(F.linear(h, part("self_attn.q_proj")), heads), table)
        k = turn(split(F.linear(h, part("self_attn.k_proj")), kv_heads), table)
        v = split(F.linear(h, part("self_attn.v_proj")), kv_heads)
        k, v = (t.repeat_interleave(heads // kv_heads, dim=1) if heads != kv_heads else t for t in (k, v))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + F.linear(o.transpose(1, 2).reshape(batch, length, dim), part("self_attn.o_proj"))
        h = norm(x, f"model.layers.{layer}.post_attention_layernorm.weight")
        h = F.silu(F.linear(h, part("mlp.gate_proj"))) * F.linear(h, part("mlp.up_proj"))
        x = x + F.linear(h, part("mlp.down_proj"))
    head = p["model.embed_tokens.weight" if sizes["tied"] else "lm_head.weight"]
    logits = F.linear(norm(x, "model.norm.weight"), head)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def optimizer(p, adamw):
    matrices = [t for t in p.values() if t.ndim > 1]
    gains = [t for t in p.values() if t.ndim == 1]
    groups = [{"params": matrices, "weight_decay": adamw["weight_decay"]}, {"params": gains, "weight_decay": 0.0}]
    betas = (adamw["beta1"], adamw["beta2"])
    return torch.optim.AdamW(groups, lr=1.0, betas=betas, eps=adamw["epsilon"], fused=True)


def step(sizes, p, table, optimizer, inputs, targets, rate, clip):
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(sizes, p, table, inputs, targets)
    loss.backward()
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(t.grad) for t in p.values()]))
    if clip is not None and norm > clip:
        torch._foreach_mul_([t.grad for t in p.values()], (clip / norm))
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return loss.item()


def losses(folder):
    meta = json.loads((folder / "meta.json").read_text())
    sizes, schedule = meta["sizes"], meta["schedule"]
    numbers = np.fromfile(folder / "parameters.f32", dtype="<f4")
    tokens = np.fromfile(folder / "tokens.u32", dtype="<u4").astype(np.int64)
    tokens = torch.from_numpy(tokens.reshape(schedule["steps"], schedule["batch"], 2, schedule["sequence"]))
    out = {}
    for dtype in (torch.float32, torch.float64):
        p, at = {}, 0
        for tensor in meta["tensors"]:
            count = int(np.prod(tensor["shape"]))
            data = torch.from_numpy(numbers[at : at + count].reshape(tensor["shape"]))
            p[tensor["name"]] = data.to(dtype).clone().requires_grad_()
            at += count
        assert at == len(numbers)
        table = rotary(sizes, schedule["sequence"], dtype)
        adamw = optimizer(p, schedule["adamw"])
        out[str(dtype)] = [
            step(sizes, p, table, adamw, batch[:, 0], batch[:, 1], rate, schedule["clip"])
            for batch, rate in zip(tokens, meta["rates"])
        ]
    print(json.dumps(out))


def speed():
    torch.manual_seed(1)
    presets = {
        "Mouse": (257, 64, 2, 2, 2, 176, 16, 128),
        "Cat": (257, 104, 3, 4, 2, 288, 16, 128),
        "Dog": (257, 128, 5, 4, 2, 352, 16, 128),
    }
    for dim in (64, 128, 256):
        presets[f"d{dim}"] = (4096, dim, 4, dim // 32, dim // 32, dim * 8 // 3 // 8 * 8, 8, 256)
    for name, (vocab, dim, layers, heads, kv_heads, ffn, batch, length) in presets.items():
        sizes = dict(vocab=vocab, dim=dim, layers=layers, heads=heads, kv_heads=kv_heads, ffn_dim=ffn)
        sizes |= dict(rope_theta=10000.0, norm_eps=1e-5, tied=True)
        kv = kv_heads * dim // heads
        shapes = {"model.embed_tokens.weight": (vocab, dim), "model.norm.weight": (dim,)}
        for layer in range(layers):
            parts = {
                "input_layernorm": (dim,),
                "self_attn.q_proj": (dim, dim),
                "self_attn.k_proj": (kv, dim),
                "self_attn.v_proj": (kv, dim),
                "self_attn.o_proj": (dim, dim),
                "post_attention_layernorm": (dim,),
                "mlp.gate_proj": (ffn, dim),
                "mlp.up_proj": (ffn, dim),
                "mlp.down_proj": (dim, ffn),
            }
            shapes |= {f"model.layers.{layer}.{part}.weight": shape for part, shape in parts.items()}
        p = {n: (torch.randn(s) * 0.02 if len(s) > 1 else torch.ones(s)).requires_grad_() for n, s in shapes.items()}
        table = rotary(sizes, length, torch.float32)
        adamw = optimizer(p, dict(weight_decay=0.1, beta1=0.9, beta2=0.95, epsilon=1e-8))
        tokens = torch.randint(0, vocab, (batch, length + 1))
        run = lambda: step(sizes, p, table, adamw, tokens[:, :-1], tokens[:, 1:], 3e-3, 1.0)
        run(), run()
        steps = 10 if name in ("Mouse", "Cat", "Dog") else 4
        start = time.process_time()
        for _ in range(steps):
            run()
        seconds = (time.process_time() - start) / steps
        count = sum(t.numel() for t in p.values())
        print(f"{name}: {count} parameters, 200 steps {seconds * 200:.2f} CPU s, {batch * length / seconds:.0f} tokens per CPU second")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "losses":
        losses(pathlib.Path(sys.argv[2]))
    else:
        speed()
