"""One step of TPT in PyTorch on the CPU, over what `promptlens bench tune-step --inputs FILE` wrote.

usage: tune_step.py MODEL_DIR INPUTS [--threads N] [--repeats N] [--cut]

The text tower as TPT runs it: every prompt with its own rows up to the context length, weights
frozen, the gradient for the context alone. --cut stops behind the longest prompt instead, which TPT
does not do. Needs torch and safetensors; MODEL_DIR is a Hugging Face CLIP in 32-bit floats.
"""

import argparse
import json
import resource
import time

import torch
import torch.nn.functional as F
from safetensors import safe_open


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("inputs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cut", action="store_true")
    return parser.parse_args()


class Tower:
    """Hugging Face's CLIP text tower, as functions of its stored tensors."""

    def __init__(self, folder):
        config = json.load(open(f"{folder}/config.json"))["text_config"]
        self.heads = config["num_attention_heads"]
        self.length = config.get("max_position_embeddings", 77)
        self.layers = config["num_hidden_layers"]
        self.quick = config.get("hidden_act", "quick_gelu") == "quick_gelu"
        self.weights = {}
        with safe_open(f"{folder}/model.safetensors", "pt") as file:
            for name in file.keys():
                if name.startswith("text_"):
                    self.weights[name] = file.get_tensor(name).float()

    def part(self, name):
        return self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")

    def norm(self, x, name):
        weight, bias = self.part(name)
        return F.layer_norm(x, weight.shape, weight, bias)

    def block(self, x, i):
        name = f"text_model.encoder.layers.{i}"
        y = self.norm(x, f"{name}.layer_norm1")
        batch, rows, width = y.shape
        split = lambda z: z.view(batch, rows, self.heads, width // self.heads).transpose(1, 2)
        q, k, v = (split(F.linear(y, *self.part(f"{name}.self_attn.{p}_proj"))) for p in "qkv")
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, rows, width)
        x = x + F.linear(y, *self.part(f"{name}.self_attn.out_proj"))
        y = F.linear(self.norm(x, f"{name}.layer_norm2"), *self.part(f"{name}.mlp.fc1"))
        y = y * torch.sigmoid(1.702 * y) if self.quick else F.gelu(y)
        return x + F.linear(y, *self.part(f"{name}.mlp.fc2"))

    def features(self, embedded, ends):
        x = embedded
        for i in range(self.layers):
            x = self.block(x, i)
        x = x[torch.arange(len(ends)), ends]
        return F.linear(self.norm(x, "text_model.final_layer_norm"), *self.part("text_projection"))


def main():
    given = arguments()
    torch.set_num_threads(given.threads)
    tower = Tower(given.model)
    inputs = json.load(open(given.inputs))
    width = tower.weights["text_model.embeddings.token_embedding.weight"].shape[1]
    start = torch.tensor(inputs["context"]).view(-1, width)
    images = torch.tensor(inputs["features"]).view(-1, inputs["dim"])[inputs["kept"]]
    prefix = 1 + len(start)
    longest = prefix + max(map(len, inputs["suffixes"])) if given.cut else tower.length
    ids = torch.zeros(len(inputs["suffixes"]), longest - prefix, dtype=torch.long)
    for row, suffix in zip(ids, inputs["suffixes"]):
        row[: len(suffix)] = torch.tensor(suffix)
    ends = torch.tensor([prefix + len(suffix) - 1 for suffix in inputs["suffixes"]])
    table = tower.weights["text_model.embeddings.token_embedding.weight"]
    position = tower.weights["text_model.embeddings.position_embedding.weight"]
    sot, names = table[inputs["sot"]].expand(len(ids), 1, width), table[ids]

    def loss_of(context):
        embedded = torch.cat([sot, context.expand(len(ids), -1, width), names], 1) + position[:longest]
        texts = F.normalize(tower.features(embedded, ends), dim=1)
        mean = torch.softmax(inputs["logit_scale"] * images @ texts.T, 1).mean(0)
        return -(mean * mean.clamp_min(1e-45).log()).sum()

    def step():
        context = start.clone().requires_grad_()
        optimiser = torch.optim.AdamW([context], lr=5e-3, weight_decay=0.01)
        before = loss_of(context)
        before.backward()
        norm = context.grad.norm().item()
        optimiser.step()
        with torch.no_grad():
            after = loss_of(context)
        return before.item(), after.item(), norm

    resident = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    ready = resident()
    times, processor = [], []
    for _ in range(given.repeats):
        begin, cpu = time.perf_counter(), time.process_time()
        before, after, norm = step()
        times.append(time.perf_counter() - begin)
        processor.append(time.process_time() - cpu)
    median = lambda values: sorted(values)[len(values) // 2]
    print(json.dumps({
        "torch": torch.__version__, "threads": given.threads, "classes": len(ids), "token_rows": ids.shape[0] * longest,
        "seconds": median(times), "cpu_seconds": median(processor), "peak_bytes": resident() - ready,
        "entropy_before": before, "entropy_after": after, "gradient_norm": norm,
    }))


main()
