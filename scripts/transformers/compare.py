#!/usr/bin/env python3
"""Compares promptlens with Hugging Face transformers, on random CLIPs of every shape in the models table.

    python3 -m venv ~/.cache/promptlens/transformers
    ~/.cache/promptlens/transformers/bin/pip install torch
    ~/.cache/promptlens/transformers/bin/pip install transformers safetensors numpy pillow
    cargo build --release --bin promptlens
    ~/.cache/promptlens/transformers/bin/python scripts/transformers/compare.py \
        --bin "$CARGO_TARGET_DIR/release/promptlens" --tokenizer tokenizer.json --image photo.png

`--tokenizer` is OpenAI CLIP's tokenizer.json, `--image` any photo. `--layers N` cuts both towers to N
blocks (0: as they are). Each model is saved by transformers, once with each activation, and read by
promptlens in 32-bit floats; the image goes through promptlens' own preprocessing on one side and
transformers' on the other. Exits 1 if any cosine is below 0.99999.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

from common import LEAST, TEXTS, least_cosine, ours, shaken, unit

# (name, image patch, vision width and layers, text width, layers and heads)
TABLE = [
    ("tinyclip-8m-16", 16, (256, 10), (256, 3, 4)),
    ("tinyclip-39m-16", 16, (512, 12), (512, 6, 8)),
    ("tinyclip-40m-32", 32, (512, 12), (512, 6, 8)),
    ("tinyclip-61m-32", 32, (640, 12), (512, 9, 8)),
    ("openai-vit-b-32", 32, (768, 12), (512, 12, 8)),
    ("openai-vit-b-16", 16, (768, 12), (512, 12, 8)),
    ("laion-vit-b-32", 32, (768, 12), (512, 12, 8)),
]


def build(patch, vision, text, act, layers):
    cut = lambda n: min(n, layers) if layers else n
    config = CLIPConfig(
        projection_dim=512,
        vision_config=dict(hidden_size=vision[0], num_hidden_layers=cut(vision[1]), num_attention_heads=vision[0] // 64,
                           intermediate_size=4 * vision[0], image_size=224, patch_size=patch, hidden_act=act, projection_dim=512),
        text_config=dict(hidden_size=text[0], num_hidden_layers=cut(text[1]), num_attention_heads=text[2],
                         intermediate_size=4 * text[0], hidden_act=act, projection_dim=512, vocab_size=49408,
                         bos_token_id=49406, eos_token_id=49407, pad_token_id=49407),
    )
    torch.manual_seed(0)
    return shaken(CLIPModel(config).eval())


def features(tensor):
    # Newer releases wrap the features.
    return unit(getattr(tensor, "pooler_output", tensor))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--layers", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    worst = 1.0
    for name, patch, vision, text in TABLE:
        for act in ["quick_gelu", "gelu"]:
            with tempfile.TemporaryDirectory() as folder:
                model = build(patch, vision, text, act, args.layers)
                model.save_pretrained(folder)
                shutil.copy(args.tokenizer, pathlib.Path(folder, "tokenizer.json"))
                processor = CLIPImageProcessor()
                processor.save_pretrained(folder)
                tokenizer = CLIPTokenizerFast(tokenizer_file=args.tokenizer, pad_token="<|endoftext|>")
                with torch.no_grad():
                    ids = tokenizer(TEXTS, return_tensors="pt", padding=True)
                    texts = features(model.get_text_features(**ids))
                    pixels = processor(Image.open(args.image).convert("RGB"), return_tensors="pt")
                    image = features(model.get_image_features(**pixels))
                found = [(ours(args.bin, folder, "--text", *TEXTS), texts), (ours(args.bin, folder, "--image", args.image), image)]
                cosines = [least_cosine(a, b) for a, b in found]
                worst = min(worst, *cosines)
                print(f"{name:16} {act:10} text {cosines[0]:.8f} image {cosines[1]:.8f}", flush=True)
    print(f"least cosine {worst:.8f}")
    sys.exit(worst < LEAST)


if __name__ == "__main__":
    main()
