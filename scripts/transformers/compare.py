#!/usr/bin/env python3
"""Compares promptlens with Hugging Face transformers and OpenCLIP, on random CLIPs of every shape in the
package's table of models and in every form that such a model is published in.

    python3 -m venv ~/.cache/promptlens/transformers
    ~/.cache/promptlens/transformers/bin/pip install torch
    ~/.cache/promptlens/transformers/bin/pip install transformers open_clip_torch safetensors numpy pillow
    cargo build --release --bin promptlens
    ~/.cache/promptlens/transformers/bin/python scripts/transformers/compare.py \
        --bin "$CARGO_TARGET_DIR/release/promptlens" --tokenizer tokenizer.json --image photo.png

`--tokenizer` is OpenAI CLIP's tokenizer.json, `--image` any photo. `--layers N` cuts both towers to N
blocks (0: as they are). Each row of the table is written with both activations as transformers writes it
and, if its repository holds OpenCLIP's files, as OpenCLIP does; the first row in every other form too.
promptlens reads them in 32-bit floats; the image goes through its own preprocessing on one side and
through that of the other library on the other. Needs node for the table. Exits 1 if any cosine is below
0.99999.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Before they are imported: bars for each file hide the table.
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizerFast

from common import LEAST, TEXTS, least_cosine, ours, shaken, unit

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACTIVATIONS = ["quick_gelu", "gelu"]


def table():
    """The rows of pkg/source/table.js: id, shapes as in a config.json, file names."""
    script = "import(process.argv[1]).then(({ TABLE }) => console.log(JSON.stringify(TABLE)))"
    path = (ROOT / "pkg/source/table.js").as_uri()
    return json.loads(subprocess.run(["node", "-e", script, path], capture_output=True, text=True, check=True).stdout)


def cut(shapes, layers):
    """`shapes` with at most so many layers in each tower."""
    shapes = json.loads(json.dumps(shapes))
    for tower in ["vision_config", "text_config"]:
        if layers:
            shapes[tower]["num_hidden_layers"] = min(layers, shapes[tower]["num_hidden_layers"])
    return shapes


class Transformers:
    """A random model of transformers, and what it makes of texts and an image."""

    def __init__(self, shapes, act, tokenizer):
        joint, text, vision = shapes["projection_dim"], shapes["text_config"], shapes["vision_config"]
        config = CLIPConfig(
            projection_dim=joint,
            vision_config=dict(vision, hidden_act=act, projection_dim=joint),
            text_config=dict(text, hidden_act=act, projection_dim=joint, bos_token_id=49406, eos_token_id=49407, pad_token_id=49407),
        )
        torch.manual_seed(0)
        self.model = shaken(CLIPModel(config).eval())
        size = vision["image_size"]
        self.images = CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
        self.tokenizer_file = tokenizer
        self.tokenizer = CLIPTokenizerFast(tokenizer_file=tokenizer, pad_token="<|endoftext|>")

    def features(self, image):
        # Newer releases wrap the features.
        plain = lambda tensor: unit(getattr(tensor, "pooler_output", tensor))
        with torch.no_grad():
            ids = self.tokenizer(TEXTS, return_tensors="pt", padding=True)
            pixels = self.images(Image.open(image).convert("RGB"), return_tensors="pt")
            return plain(self.model.get_text_features(**ids)), plain(self.model.get_image_features(**pixels))

    def usual(self, folder):
        """model.safetensors, config.json, preprocessor_config.json, tokenizer.json."""
        self.model.save_pretrained(folder)
        self.small(folder)

    def small(self, folder):
        pathlib.Path(folder, "preprocessor_config.json").write_text(self.images.to_json_string())
        shutil.copy(self.tokenizer_file, pathlib.Path(folder, "tokenizer.json"))

    def nested(self, folder):
        """processor_config.json with a nested image_processor, as transformers 5 writes it."""
        self.model.save_pretrained(folder)
        CLIPProcessor(self.images, self.tokenizer).save_pretrained(folder)
        nested = json.loads(pathlib.Path(folder, "processor_config.json").read_text())
        if "image_processor" not in nested or pathlib.Path(folder, "preprocessor_config.json").exists():
            sys.exit("install transformers 5: an older one writes preprocessor_config.json")

    def torch_bin(self, folder):
        """pytorch_model.bin."""
        self.model.config.save_pretrained(folder)
        torch.save(self.model.state_dict(), pathlib.Path(folder, "pytorch_model.bin"))
        self.small(folder)

    def half_bin(self, folder):
        """pytorch_model.bin in half precision, which promptlens reads as floats of the same values."""
        self.model.config.save_pretrained(folder)
        state = {name: value.half() if value.is_floating_point() else value for name, value in self.model.state_dict().items()}
        torch.save(state, pathlib.Path(folder, "pytorch_model.bin"))
        self.model.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in state.items()})
        self.small(folder)

    def shards(self, folder):
        """model-00001-of-0000N.safetensors and their index."""
        self.model.save_pretrained(folder, max_shard_size="20MB")
        if not pathlib.Path(folder, "model.safetensors.index.json").exists():
            sys.exit("the model is too small for shards")
        self.small(folder)

    def bin_shards(self, folder):
        """pytorch_model-00001-of-00002.bin and their index, as transformers 4 wrote them."""
        self.model.config.save_pretrained(folder)
        state = list(self.model.state_dict().items())
        weights = {}
        for shard, part in enumerate([state[: len(state) // 2], state[len(state) // 2 :]], 1):
            name = f"pytorch_model-{shard:05}-of-00002.bin"
            torch.save({key: value.clone() for key, value in part}, pathlib.Path(folder, name))
            weights.update({key: name for key, _ in part})
        index = {"metadata": {}, "weight_map": weights}
        pathlib.Path(folder, "pytorch_model.bin.index.json").write_text(json.dumps(index))
        self.small(folder)

    def vocab_merges(self, folder):
        """vocab.json and merges.txt without a tokenizer.json."""
        self.usual(folder)
        model = json.loads(pathlib.Path(folder, "tokenizer.json").read_text())["model"]
        pathlib.Path(folder, "tokenizer.json").unlink()
        pathlib.Path(folder, "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
        lines = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
        pathlib.Path(folder, "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]))


class OpenClip:
    """The same of OpenCLIP."""

    def __init__(self, shapes, act, tokenizer):
        text, vision = shapes["text_config"], shapes["vision_config"]
        self.config = {
            "embed_dim": shapes["projection_dim"],
            "quick_gelu": act == "quick_gelu",
            "vision_cfg": {
                "image_size": vision["image_size"], "layers": vision["num_hidden_layers"], "width": vision["hidden_size"],
                "head_width": vision["hidden_size"] // vision["num_attention_heads"], "patch_size": vision["patch_size"],
            },
            "text_cfg": {
                "context_length": text["max_position_embeddings"], "vocab_size": text["vocab_size"],
                "width": text["hidden_size"], "heads": text["num_attention_heads"], "layers": text["num_hidden_layers"],
            },
        }
        torch.manual_seed(0)
        self.model = shaken(open_clip.CLIP(**self.config).eval())
        self.tokenizer_file = tokenizer

    def features(self, image):
        size = self.config["vision_cfg"]["image_size"]
        look = image_transform_v2(PreprocessCfg(size=size), is_train=False)
        with torch.no_grad():
            texts = self.model.encode_text(open_clip.tokenize(TEXTS))
            return unit(texts), unit(self.model.encode_image(look(Image.open(image).convert("RGB"))[None]))

    def small(self, folder):
        cfg = {"model_cfg": self.config, "preprocess_cfg": {}}
        pathlib.Path(folder, "open_clip_config.json").write_text(json.dumps(cfg))
        shutil.copy(self.tokenizer_file, pathlib.Path(folder, "tokenizer.json"))

    def state(self):
        return {name: value.contiguous() for name, value in self.model.state_dict().items()}

    def usual(self, folder):
        """open_clip_model.safetensors and open_clip_config.json."""
        save_file(self.state(), pathlib.Path(folder, "open_clip_model.safetensors"))
        self.small(folder)

    def torch_bin(self, folder):
        """open_clip_pytorch_model.bin."""
        torch.save(self.state(), pathlib.Path(folder, "open_clip_pytorch_model.bin"))
        self.small(folder)

    def training(self, folder):
        """A training checkpoint, with the optimizer that open_clip_train keeps beside the model."""
        optimizer = torch.optim.AdamW(self.model.parameters())
        state = {f"module.{name}": value for name, value in self.state().items()}
        torch.save({"epoch": 3, "name": "run", "state_dict": state, "optimizer": optimizer.state_dict()}, pathlib.Path(folder, "model.pt"))
        self.small(folder)


def cases(layers):
    """(name, library, shapes, activation, form)"""
    rows = table()
    for row in rows:
        shapes = cut(row["shapes"], layers)
        for act in ACTIVATIONS:
            yield row["id"], Transformers, shapes, act, "usual"
            if row["sources"][0]["file"].startswith("open_clip"):
                yield row["id"], OpenClip, shapes, act, "usual"
    first = rows[0]["id"], cut(rows[0]["shapes"], layers)
    for library, forms in [(Transformers, ["nested", "torch_bin", "half_bin", "shards", "bin_shards", "vocab_merges"]), (OpenClip, ["usual", "torch_bin", "training"])]:
        for form in forms:
            yield first[0], library, first[1], "quick_gelu", form


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rows", nargs="*", help="the rows of the table to compare (all)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    worst = 1.0
    for name, library, shapes, act, form in cases(args.layers):
        if args.rows and name not in args.rows:
            continue
        with tempfile.TemporaryDirectory() as folder:
            model = library(shapes, act, args.tokenizer)
            getattr(model, form)(folder)
            found = zip([ours(args.bin, folder, "--text", *TEXTS), ours(args.bin, folder, "--image", args.image)], model.features(args.image))
            cosines = [least_cosine(a, b) for a, b in found]
            worst = min(worst, *cosines)
            print(f"{name:22} {library.__name__:12} {act:10} {form:12} text {cosines[0]:.8f} image {cosines[1]:.8f}", flush=True)
    print(f"least cosine {worst:.8f}")
    sys.exit(worst < LEAST)


if __name__ == "__main__":
    main()
