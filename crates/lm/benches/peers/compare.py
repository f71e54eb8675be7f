"""The same training in PyTorch, in f32 and in f64, from the same parameters on the same batches.

    python compare.py losses FOLDER           the losses of each step, in f32 and in f64
    python compare.py eager|compile FOLDER    f32: losses, CPU seconds of the steps behind the warm ones and of
                                              the same batches forwards alone, peak memory

on one thread, as a JSON object. FOLDER holds what `tests/it/torch.rs` and `benches/train.rs` write: meta.json,
parameters.f32, tokens.u32.
"""

import json
import pathlib
import resource
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


def step(loss_function, sizes, p, table, optimizer, inputs, targets, rate, clip):
    optimizer.zero_grad(set_to_none=True)
    loss = loss_function(sizes, p, table, inputs, targets)
    loss.backward()
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(t.grad) for t in p.values()]))
    if clip is not None and norm > clip:
        torch._foreach_mul_([t.grad for t in p.values()], (clip / norm))
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return loss.item()


def read(folder):
    meta = json.loads((folder / "meta.json").read_text())
    schedule = meta["schedule"]
    numbers = np.fromfile(folder / "parameters.f32", dtype="<f4")
    tokens = np.fromfile(folder / "tokens.u32", dtype="<u4").astype(np.int64)
    tokens = torch.from_numpy(tokens.reshape(schedule["steps"], schedule["batch"], 2, schedule["sequence"]))
    return meta, numbers, tokens


def losses(folder):
    meta, numbers, tokens = read(folder)
    sizes, schedule = meta["sizes"], meta["schedule"]
    out = {}
    for dtype in (torch.float32, torch.float64):
        p = parameters(meta, numbers, dtype)
        table = rotary(sizes, schedule["sequence"], dtype)
        adamw = optimizer(p, schedule["adamw"])
        out[str(dtype)] = [
            step(loss_of, sizes, p, table, adamw, batch[:, 0], batch[:, 1], rate, schedule["clip"])
            for batch, rate in zip(tokens, meta["rates"])
        ]
    print(json.dumps(out))


def parameters(meta, numbers, dtype):
    p, at = {}, 0
    for tensor in meta["tensors"]:
        count = int(np.prod(tensor["shape"]))
        data = torch.from_numpy(numbers[at : at + count].reshape(tensor["shape"]))
        p[tensor["name"]] = data.to(dtype).clone().requires_grad_()
        at += count
    assert at == len(numbers)
    return p


def train(folder, compiled):
    meta, numbers, tokens = read(folder)
    sizes, schedule = meta["sizes"], meta["schedule"]
    p = parameters(meta, numbers, torch.float32)
    del numbers
    table = rotary(sizes, schedule["sequence"], torch.float32)
    adamw = optimizer(p, schedule["adamw"])
    loss_function = torch.compile(loss_of) if compiled else loss_of
    losses, warm = [], meta["warm_steps"]
    for index, (batch, rate) in enumerate(zip(tokens, meta["rates"])):
        if index == warm:
            start = time.process_time()
        inputs, targets = batch[:, 0], batch[:, 1]
        losses.append(step(loss_function, sizes, p, table, adamw, inputs, targets, rate, schedule["clip"]))
    seconds = time.process_time() - start
    with torch.no_grad():
        loss_function(sizes, p, table, inputs, targets)
        start = time.process_time()
        for batch in tokens[warm:]:
            loss_function(sizes, p, table, batch[:, 0], batch[:, 1])
        forward = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"training": seconds, "forward": forward, "peak_mib": peak, "losses": losses}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "losses":
        losses(pathlib.Path(sys.argv[2]))
    else:
        train(pathlib.Path(sys.argv[2]), sys.argv[1] == "compile")
