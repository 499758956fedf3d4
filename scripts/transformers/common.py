"""What both comparisons share: promptlens' side, and how close is close enough."""

import json
import subprocess
import sys

import numpy as np
import torch

TEXTS = ["a photo of a cat.", "three red bicycles in the rain", "a"]
LEAST = 0.99999


def shaken(model):
    """Untrained biases and norms are zeros and ones, which would hide a swap of two."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def unit(tensor):
    return torch.nn.functional.normalize(tensor, dim=-1).double().numpy()


def ours(program, folder, *inputs):
    run = subprocess.run([program, "embed", "--json", "--model", folder, "--quant", "none", *inputs], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"promptlens: {run.stdout or run.stderr}")
    return np.array([entry["values"] for entry in json.loads(run.stdout)["embeddings"]])


def least_cosine(a, b):
    return float((a * b).sum(-1).min())
