"""Writes tests/train/reference.json: one training step of tiny-rand as PyTorch computes it.

usage: reference.py MODEL_DIR EXPECTED_SAFETENSORS > reference.json

MODEL_DIR is a Hugging Face CLIP with QuickGELU and a causal text tower; EXPECTED_SAFETENSORS holds
`pixel_values` and `input_ids` with `eot`. Needs torch and safetensors. The towers are written out
below and not taken from a library, so that the file shows what is meant.

The step: three photos, the second a mixture of classes 0 and 1; the three texts as captions, of
which the third fits classes 1 and 2; label smoothing 0.05; half the patches of each photo; and the
first two texts pulled towards fixed unit vectors with weight 0.5. Stored are the loss, and for every
tensor the norm of its gradient, its sum weighted by fixed numbers, and its first values.
"""

import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

FIRST = 8
SMOOTHING, DISTIL = 0.05, 0.5
WEIGHTS = torch.tensor([[1.0, 0.0, 0.0], [0.3, 0.7, 0.7], [0.0, 0.0, 1.0]])
KEPT = [[0, 2, 3, 5], [1, 4, 7, 8], [0, 4, 6, 8]]


def block(x, w, name, heads, causal):
    n, t, width = x.shape
    at = lambda part: (w[f"{name}.{part}.weight"], w[f"{name}.{part}.bias"])
    norm = lambda y, part: F.layer_norm(y, (width,), *at(part), 1e-5)
    y = norm(x, "layer_norm1")
    split = lambda part: F.linear(y, *at(f"self_attn.{part}")).view(n, t, heads, -1).transpose(1, 2)
    q, k, v = split("q_proj"), split("k_proj"), split("v_proj")
    scores = q @ k.transpose(2, 3) / math.sqrt(width // heads)
    if causal:
        scores = scores + torch.full((t, t), -torch.inf).triu(1)
    y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width)
    x = x + F.linear(y, *at("self_attn.out_proj"))
    y = F.linear(norm(x, "layer_norm2"), *at("mlp.fc1"))
    return x + F.linear(y * torch.sigmoid(1.702 * y), *at("mlp.fc2"))


def images(w, config, pixels, kept):
    c = config["vision_config"]
    name = "vision_model.embeddings"
    x = F.conv2d(pixels, w[f"{name}.patch_embedding.weight"], stride=c["patch_size"])
    x = x.flatten(2).transpose(1, 2)
    first = w[f"{name}.class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([first, x], 1) + w[f"{name}.position_embedding.weight"]
    pre = "vision_model.pre_layrnorm"
    x = F.layer_norm(x, x.shape[-1:], w[f"{pre}.weight"], w[f"{pre}.bias"], 1e-5)
    rows = torch.tensor([[0] + [1 + row for row in image] for image in kept])
    x = x.gather(1, rows[:, :, None].expand(-1, -1, x.shape[2]))
    for i in range(c["num_hidden_layers"]):
        x = block(x, w, f"vision_model.encoder.layers.{i}", c["num_attention_heads"], False)
    post = "vision_model.post_layernorm"
    x = F.layer_norm(x[:, 0], x.shape[-1:], w[f"{post}.weight"], w[f"{post}.bias"], 1e-5)
    return F.linear(x, w["visual_projection.weight"])


def texts(w, config, ids, eot):
    c = config["text_config"]
    name = "text_model.embeddings"
    x = w[f"{name}.token_embedding.weight"][ids]
    x = x + w[f"{name}.position_embedding.weight"][: ids.shape[1]]
    for i in range(c["num_hidden_layers"]):
        x = block(x, w, f"text_model.encoder.layers.{i}", c["num_attention_heads"], True)
    last = "text_model.final_layer_norm"
    x = F.layer_norm(x, x.shape[-1:], w[f"{last}.weight"], w[f"{last}.bias"], 1e-5)
    return F.linear(x[torch.arange(len(x)), eot], w["text_projection.weight"])


def wanted(count, width):
    rows = [[math.sin(0.7 * (i * width + j) + 0.3) for j in range(width)] for i in range(count)]
    return F.normalize(torch.tensor(rows), dim=1)


def main(model, expected):
    config = json.loads((Path(model) / "config.json").read_text())
    stored = load_file(Path(model) / "model.safetensors")
    w = {k: v.float().requires_grad_() for k, v in stored.items() if v.is_floating_point()}
    given = load_file(expected)
    image = F.normalize(images(w, config, given["pixel_values"], KEPT), dim=1)
    feature = texts(w, config, given["input_ids"].long(), given["eot"].long())
    text = F.normalize(feature, dim=1)
    logits = w["logit_scale"].exp() * image @ text.T
    by_image = WEIGHTS / WEIGHTS.sum(1, keepdim=True) * (1 - SMOOTHING) + SMOOTHING / 3
    by_text = (WEIGHTS / WEIGHTS.sum(0)).T
    loss = (
        F.cross_entropy(logits, by_image) + F.cross_entropy(logits.T, by_text)
    ) / 2 + DISTIL * (1 - (text[:2] * wanted(2, text.shape[1])).sum() / 2)
    loss.backward()
    gradients = {}
    for name, tensor in sorted(w.items()):
        g = tensor.grad.flatten().double()
        weights = torch.cos(0.37 * torch.arange(len(g), dtype=torch.float64))
        gradients[name] = {
            "norm": short(g.norm()),
            "weighted": short((g * weights).sum()),
            "first": [short(v) for v in g[:FIRST]],
        }
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in gradients.items()]
    print(f'{{"torch": {json.dumps(torch.__version__)}, "loss": {loss.item():.7f}, "gradients": {{')
    print(",\n".join(lines), end="\n}}\n")


def short(value):
    return float(f"{float(value):.7g}")


main(*sys.argv[1:])
