#!/usr/bin/env python3
"""Compares promptlens with OpenCLIP, on random CLIPs whose image tower is an EfficientNet-Lite of timm.

    python3 -m venv ~/.cache/promptlens/transformers
    ~/.cache/promptlens/transformers/bin/pip install torch open_clip_torch timm safetensors numpy pillow
    cargo build --release --bin promptlens
    ~/.cache/promptlens/transformers/bin/python scripts/transformers/compare_timm.py \
        --bin "$CARGO_TARGET_DIR/release/promptlens" --tokenizer tokenizer.json --image photo.png

`--tokenizer` is OpenAI CLIP's tokenizer.json, `--image` any photo. Each model is written as OpenCLIP
writes it and read by promptlens in 32-bit floats; the image goes through promptlens' own preprocessing
on one side and OpenCLIP's on the other. Exits 1 if any cosine is below 0.99999.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer

from common import LEAST, TEXTS, least_cosine, ours, shaken, unit

# (trunk, image size, whether the projection has a bias)
TABLE = [
    ("tf_efficientnet_lite0", 160, True),
    ("tf_efficientnet_lite0", 224, False),
    ("tf_efficientnet_lite1", 240, True),
    ("tf_efficientnet_lite2", 128, True),
    ("tf_efficientnet_lite3", 160, True),
    ("tf_efficientnet_lite4", 160, True),
]
CONTEXT = 77


def settings(trunk, size, bias):
    return {
        "embed_dim": 512,
        "vision_cfg": {
            "timm_model_name": trunk, "timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": "linear",
            "timm_proj_bias": bias, "image_size": size,
        },
        "text_cfg": {"context_length": CONTEXT, "vocab_size": 49408, "width": 192, "heads": 3, "layers": 4},
    }


def build(cfg, pixels):
    torch.manual_seed(0)
    model = shaken(open_clip.CLIP(**cfg))
    # Batch norms with the statistics of the image, so that activations neither vanish nor saturate.
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model.encode_image(torch.cat([pixels, pixels.flip(-1)]))
    return model.eval()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--image", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    ids = torch.zeros(len(TEXTS), CONTEXT, dtype=torch.long)
    for row, text in zip(ids, TEXTS):
        found = torch.tensor(tokenizer.encode(text).ids)
        row[: len(found)] = found
    worst = 1.0
    for trunk, size, bias in TABLE:
        cfg = settings(trunk, size, bias)
        views = {"mean": [127 / 255] * 3, "std": [128 / 255] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
        transform = image_transform_v2(PreprocessCfg(size=size, **views), is_train=False)
        pixels = transform(Image.open(args.image).convert("RGB"))[None]
        model = build(cfg, pixels)
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            place = pathlib.Path(folder)
            tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
            save_file(tensors, place / "open_clip_model.safetensors")
            written = {"model_cfg": cfg, "preprocess_cfg": views}
            (place / "open_clip_config.json").write_text(json.dumps(written))
            shutil.copy(args.tokenizer, place / "tokenizer.json")
            texts, image = unit(model.encode_text(ids)), unit(model.encode_image(pixels))
            cosines = [
                least_cosine(ours(args.bin, folder, "--text", *TEXTS), texts),
                least_cosine(ours(args.bin, folder, "--image", args.image), image),
            ]
        worst = min(worst, *cosines)
        print(f"{trunk} {size} px, bias {bias}: text {cosines[0]:.8f} image {cosines[1]:.8f}", flush=True)
    print(f"least cosine {worst:.8f}")
    sys.exit(worst < LEAST)


if __name__ == "__main__":
    main()
