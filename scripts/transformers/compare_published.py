#!/usr/bin/env python3
"""Compares promptlens with Hugging Face transformers and OpenCLIP on configuration files as people publish
them: each folder of a directory that its `expected.tsv` says must load.

    ~/.cache/promptlens/transformers/bin/python scripts/transformers/compare_published.py \
        --bin "$CARGO_TARGET_DIR/release/promptlens" --published ../shared/fixtures/hub \
        --tokenizer tokenizer.json --image photo.png [--layers 2]

compare.py says how to install both libraries. Random weights of the configuration's shapes are written
beside copies of the published files; `--layers N` cuts both towers to N blocks (0: as they are). If a folder
has no tokenizer of its own, it gets the one given. transformers reads the same files with its own code, and
prepares the image by them. promptlens reads in 32-bit floats. Exits 1 if any cosine is below 0.99999.
"""

import argparse
import csv
import json
import os
import pathlib
import shutil
import sys
import tempfile

os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer, CLIPTokenizerFast

from common import LEAST, TEXTS, least_cosine, ours, shaken, unit


def rewrite(path, change):
    """Applies `change` to the JSON of a file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return content


def of_transformers(folder, image, layers, tokenizer_file, binary):
    """Completes a folder of transformers' layout; the features that transformers gives."""

    def cut(config):
        for tower in ["vision_config", "text_config"]:
            if layers:
                config.setdefault(tower, {})["num_hidden_layers"] = min(layers, config[tower].get("num_hidden_layers", 12))

    rewrite(folder / "config.json", cut)
    config = CLIPConfig.from_pretrained(folder)
    if config.projection_dim is None:
        # This release stops at null; the towers have the number, which is where promptlens takes it from.
        config.projection_dim = config.text_config.projection_dim
    model = shaken(CLIPModel(config).eval())
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    if binary:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors")
    if (folder / "vocab.json").exists():
        tokenizer = CLIPTokenizer.from_pretrained(folder)
    else:
        shutil.copy(tokenizer_file, folder / "tokenizer.json")
        tokenizer = CLIPTokenizerFast(tokenizer_file=tokenizer_file, pad_token="<|endoftext|>")
    images = CLIPImageProcessor.from_pretrained(folder)
    side = config.vision_config.image_size
    if images.do_center_crop and images.crop_size is None:
        # This release stops at null, from which older ones and promptlens crop to the tower's own size.
        images.crop_size = {"height": side, "width": side}
    with torch.no_grad():
        ids = tokenizer(TEXTS, return_tensors="pt", padding=True)
        pixels = images(Image.open(image).convert("RGB"), return_tensors="pt")
        # Newer releases wrap the features.
        plain = lambda tensor: unit(getattr(tensor, "pooler_output", tensor))
        return plain(model.get_text_features(**ids)), plain(model.get_image_features(**pixels))


def of_open_clip(folder, image, layers, tokenizer_file):
    """Completes a folder of OpenCLIP's layout; the features that OpenCLIP gives."""

    def cut(config):
        for tower in ["vision_cfg", "text_cfg"]:
            model = config.get("model_cfg", config)
            if layers:
                model[tower]["layers"] = min(layers, model[tower]["layers"])

    config = rewrite(folder / "open_clip_config.json", cut)
    shapes = dict(config.get("model_cfg", config))
    shapes["quick_gelu"] = str(shapes.get("quick_gelu", False)).lower() == "true"
    model = shaken(open_clip.CLIP(**shapes).eval())
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    shutil.copy(tokenizer_file, folder / "tokenizer.json")
    own = {key: value for key, value in config.get("preprocess_cfg", {}).items() if value is not None}
    look = image_transform_v2(PreprocessCfg(size=shapes["vision_cfg"]["image_size"], **own), is_train=False)
    with torch.no_grad():
        texts = model.encode_text(open_clip.tokenize(TEXTS))
        return unit(texts), unit(model.encode_image(look(Image.open(image).convert("RGB"))[None]))


def main():
    parser = argparse.ArgumentParser()
    for name in ["--bin", "--published", "--tokenizer", "--image"]:
        parser.add_argument(name, required=True)
    parser.add_argument("--layers", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    published = pathlib.Path(args.published)
    with open(published / "expected.tsv", newline="") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["outcome"] == "load"]
    worst = 1.0
    for row in rows:
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            shutil.copytree(published / row["folder"], folder, dirs_exist_ok=True)
            if (folder / "open_clip_config.json").exists():
                library, theirs = "OpenCLIP", of_open_clip(folder, args.image, args.layers, args.tokenizer)
            else:
                binary = "pytorch_model.bin" in (row["code"] or "")
                library, theirs = "transformers", of_transformers(folder, args.image, args.layers, args.tokenizer, binary)
            try:
                mine = ours(args.bin, folder, "--text", *TEXTS), ours(args.bin, folder, "--image", args.image)
            except SystemExit as refused:
                # The table lets some be refused for a reason.
                if "config/invalid" not in str(refused) or "config/invalid" not in "".join(filter(None, row.values())):
                    raise
                print(f"{row['folder']:62} refused with config/invalid, as the table allows", flush=True)
                continue
            cosines = [least_cosine(a, b) for a, b in zip(mine, theirs)]
            worst = min(worst, *cosines)
            print(f"{row['folder']:62} {library:12} text {cosines[0]:.8f} image {cosines[1]:.8f}", flush=True)
    print(f"least cosine {worst:.8f}")
    sys.exit(worst < LEAST)


if __name__ == "__main__":
    main()
