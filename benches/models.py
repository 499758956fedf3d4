"""Makes the models that the benches run: CLIPs of the published shapes with generated weights.

usage: models.py FOLDER TOKENIZER_JSON NAME...       NAME: vit-b-32, vit-b-16

FOLDER/NAME becomes a Hugging Face CLIP directory, and for vit-b-32 its onnx/ holds the same towers
for ONNX Runtime: as exporters write them, and with ONNX Runtime's fused attention and QuickGELU.
Weights are N(0, 0.02^2) of one seeded generator, LayerNorms are 1 and 0: speed does not depend on
the values as long as nothing overflows or becomes subnormal. What is complete is left alone.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np

VISION = {"vit-b-32": 32, "vit-b-16": 16}
WIDTH, MLP, HEADS, LAYERS, SIZE = 768, 3072, 12, 12, 224
TEXT_WIDTH, TEXT_MLP, TEXT_HEADS = 512, 2048, 8
VOCABULARY, CONTEXT, DIMENSION = 49408, 77, 512
SEED = 20261122
STANDARD_DEVIATION = 0.02
TEXT_TOKENS = 8
OPSET = 17


def config(patch):
    return {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": DIMENSION,
        "logit_scale_init_value": 2.6592,
        "text_config": {
            "model_type": "clip_text_model", "hidden_size": TEXT_WIDTH, "intermediate_size": TEXT_MLP,
            "num_attention_heads": TEXT_HEADS, "num_hidden_layers": LAYERS, "hidden_act": "quick_gelu",
            "max_position_embeddings": CONTEXT, "vocab_size": VOCABULARY, "projection_dim": DIMENSION,
            "layer_norm_eps": 1e-5,
        },
        "vision_config": {
            "model_type": "clip_vision_model", "hidden_size": WIDTH, "intermediate_size": MLP,
            "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "hidden_act": "quick_gelu",
            "image_size": SIZE, "patch_size": patch, "projection_dim": DIMENSION, "layer_norm_eps": 1e-5,
        },
    }


PREPROCESSOR = {
    "crop_size": {"height": SIZE, "width": SIZE}, "size": {"shortest_edge": SIZE}, "resample": 3,
    "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True,
    "do_resize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711], "image_processor_type": "CLIPImageProcessor",
}


def shapes(patch):
    """Hugging Face name -> shape of every tensor."""
    found = {"logit_scale": []}

    def norm(name, width):
        found[f"{name}.weight"] = found[f"{name}.bias"] = [width]

    def linear(name, outputs, inputs):
        found[f"{name}.weight"], found[f"{name}.bias"] = [outputs, inputs], [outputs]

    def blocks(tower, width, mlp):
        for i in range(LAYERS):
            block = f"{tower}.encoder.layers.{i}"
            norm(f"{block}.layer_norm1", width)
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                linear(f"{block}.self_attn.{part}", width, width)
            norm(f"{block}.layer_norm2", width)
            linear(f"{block}.mlp.fc1", mlp, width)
            linear(f"{block}.mlp.fc2", width, mlp)

    found["text_model.embeddings.token_embedding.weight"] = [VOCABULARY, TEXT_WIDTH]
    found["text_model.embeddings.position_embedding.weight"] = [CONTEXT, TEXT_WIDTH]
    blocks("text_model", TEXT_WIDTH, TEXT_MLP)
    norm("text_model.final_layer_norm", TEXT_WIDTH)
    found["text_projection.weight"] = [DIMENSION, TEXT_WIDTH]
    found["vision_model.embeddings.class_embedding"] = [WIDTH]
    found["vision_model.embeddings.patch_embedding.weight"] = [WIDTH, 3, patch, patch]
    found["vision_model.embeddings.position_embedding.weight"] = [(SIZE // patch) ** 2 + 1, WIDTH]
    norm("vision_model.pre_layrnorm", WIDTH)
    blocks("vision_model", WIDTH, MLP)
    norm("vision_model.post_layernorm", WIDTH)
    found["visual_projection.weight"] = [DIMENSION, WIDTH]
    return found


def values(shapes):
    """(name, f32 array) of every tensor, the same on every run."""
    generator = np.random.default_rng(SEED)
    for name, shape in shapes.items():
        if name == "logit_scale":
            yield name, np.float32(math.log(100.0))
        elif "norm" in name or "layrnorm" in name:
            yield name, np.full(shape, 1.0 if name.endswith("weight") else 0.0, np.float32)
        else:
            yield name, generator.standard_normal(shape, np.float32) * np.float32(STANDARD_DEVIATION)


def write_checkpoint(folder, patch, tokenizer):
    listed, header, end = shapes(patch), {}, 0
    for name, shape in listed.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(patch), indent=1))
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=1))
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    part = folder / "model.safetensors.part"
    with part.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _, value in values(listed):
            file.write(value.tobytes())
    part.rename(folder / "model.safetensors")


class Graph:
    """An ONNX graph under construction; every call appends a node and returns its output's name."""

    def __init__(self, weights, fused):
        from onnx import helper, numpy_helper

        self.helper, self.numpy_helper = helper, numpy_helper
        self.weights, self.fused = weights, fused
        self.nodes, self.initialisers = [], {}

    def constant(self, name, value):
        if name not in self.initialisers:
            self.initialisers[name] = self.numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def node(self, kind, *inputs, domain="", **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def linear(self, x, name, bias=True):
        # Exporters transpose the weights once, so that a plain product remains.
        y = self.node("MatMul", x, self.constant(f"{name}.weight_t", self.weights[f"{name}.weight"].T))
        return self.node("Add", y, self.constant(f"{name}.bias", self.weights[f"{name}.bias"])) if bias else y

    def norm(self, x, name):
        parts = [self.constant(f"{name}.{p}", self.weights[f"{name}.{p}"]) for p in ("weight", "bias")]
        return self.node("LayerNormalization", x, *parts, axis=-1, epsilon=1e-5)

    def quick_gelu(self, x):
        if self.fused:
            return self.node("QuickGelu", x, domain="com.microsoft", alpha=1.702)
        slope = self.constant("slope", np.float32(1.702))
        return self.node("Mul", x, self.node("Sigmoid", self.node("Mul", x, slope)))

    def attention(self, x, name, width, heads, mask):
        q, k, v = (self.linear(x, f"{name}.{part}_proj") for part in "qkv")
        if self.fused:
            inputs = [q, k, v] + (["", "", mask] if mask else [])
            joined = self.node("MultiHeadAttention", *inputs, domain="com.microsoft", num_heads=heads)
        else:
            split = self.constant(f"split_{width}", np.array([0, 0, heads, width // heads], np.int64))
            q, k, v = (self.node("Reshape", part, split) for part in (q, k, v))
            q = self.node("Mul", self.node("Transpose", q, perm=[0, 2, 1, 3]),
                          self.constant(f"scale_{width}", np.float32((width // heads) ** -0.5)))
            scores = self.node("MatMul", q, self.node("Transpose", k, perm=[0, 2, 3, 1]))
            scores = self.node("Add", scores, mask) if mask else scores
            value = self.node("MatMul", self.node("Softmax", scores, axis=-1),
                              self.node("Transpose", v, perm=[0, 2, 1, 3]))
            join = self.constant(f"join_{width}", np.array([0, 0, width], np.int64))
            joined = self.node("Reshape", self.node("Transpose", value, perm=[0, 2, 1, 3]), join)
        return self.linear(joined, f"{name}.out_proj")

    def blocks(self, x, tower, width, heads, mask=None):
        for i in range(LAYERS):
            block = f"{tower}.encoder.layers.{i}"
            attended = self.attention(self.norm(x, f"{block}.layer_norm1"), f"{block}.self_attn", width, heads, mask)
            x = self.node("Add", x, attended)
            hidden = self.quick_gelu(self.linear(self.norm(x, f"{block}.layer_norm2"), f"{block}.mlp.fc1"))
            x = self.node("Add", x, self.linear(hidden, f"{block}.mlp.fc2"))
        return x

    def save(self, path, input_name, input_type, input_shape, output, output_name):
        import onnx

        h = self.helper
        self.nodes.append(h.make_node("Identity", [output], [output_name]))
        graph = h.make_graph(
            self.nodes, path.stem,
            [h.make_tensor_value_info(input_name, input_type, input_shape)],
            [h.make_tensor_value_info(output_name, onnx.TensorProto.FLOAT, ["batch", DIMENSION])],
            list(self.initialisers.values()),
        )
        opsets = [h.make_opsetid("", OPSET), h.make_opsetid("com.microsoft", 1)]
        model = h.make_model(graph, opset_imports=opsets, ir_version=8)
        part = path.with_suffix(".part")
        onnx.save_model(model, str(part))
        part.rename(path)


def vision_graph(weights, patch, fused, path):
    from onnx import TensorProto

    g = Graph(weights, fused)
    embeddings = "vision_model.embeddings"
    kernel = g.constant("patch", weights[f"{embeddings}.patch_embedding.weight"])
    x = g.node("Conv", "pixel_values", kernel, kernel_shape=[patch, patch], strides=[patch, patch])
    x = g.node("Reshape", x, g.constant("rows", np.array([0, WIDTH, -1], np.int64)))
    x = g.node("Transpose", x, perm=[0, 2, 1])
    # The class row, once per image of the batch.
    batch = g.node("Slice", g.node("Shape", "pixel_values"), g.constant("from", np.array([0], np.int64)),
                   g.constant("to", np.array([1], np.int64)))
    shape = g.node("Concat", batch, g.constant("one_row", np.array([1, WIDTH], np.int64)), axis=0)
    row = g.constant("class", weights[f"{embeddings}.class_embedding"].reshape(1, 1, WIDTH))
    x = g.node("Concat", g.node("Expand", row, shape), x, axis=1)
    x = g.node("Add", x, g.constant("position", weights[f"{embeddings}.position_embedding.weight"][None]))
    x = g.blocks(g.norm(x, "vision_model.pre_layrnorm"), "vision_model", WIDTH, HEADS)
    x = g.node("Gather", x, g.constant("first", np.int64(0)), axis=1)
    x = g.linear(g.norm(x, "vision_model.post_layernorm"), "visual_projection", bias=False)
    g.save(path, "pixel_values", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE], x, "image_embeds")


def text_graph(weights, fused, path):
    """For sequences of exactly TEXT_TOKENS tokens that end in EOT."""
    from onnx import TensorProto

    g = Graph(weights, fused)
    embeddings = "text_model.embeddings"
    table = g.constant("tokens", weights[f"{embeddings}.token_embedding.weight"])
    x = g.node("Gather", table, "input_ids", axis=0)
    x = g.node("Add", x, g.constant("position", weights[f"{embeddings}.position_embedding.weight"][:TEXT_TOKENS][None]))
    causal = np.triu(np.full((1, 1, TEXT_TOKENS, TEXT_TOKENS), -1e9, np.float32), 1)
    x = g.blocks(x, "text_model", TEXT_WIDTH, TEXT_HEADS, g.constant("causal", causal))
    x = g.node("Gather", x, g.constant("last", np.int64(TEXT_TOKENS - 1)), axis=1)
    x = g.linear(g.norm(x, "text_model.final_layer_norm"), "text_projection", bias=False)
    g.save(path, "input_ids", TensorProto.INT64, ["batch", TEXT_TOKENS], x, "text_embeds")


def write_onnx(folder, patch):
    onnx = folder / "onnx"
    wanted = {f"{tower}_model{form}": (tower, form) for tower in ("vision", "text") for form in ("", "_fused")}
    missing = {name: what for name, what in wanted.items() if not (onnx / f"{name}.onnx").exists()}
    if not missing:
        return
    onnx.mkdir(exist_ok=True)
    weights = dict(values(shapes(patch)))
    for name, (tower, form) in missing.items():
        path = onnx / f"{name}.onnx"
        if tower == "vision":
            vision_graph(weights, patch, bool(form), path)
        else:
            text_graph(weights, bool(form), path)


def main():
    root, tokenizer, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    for name in names:
        folder, patch = root / name, VISION[name]
        if not (folder / "model.safetensors").exists():
            print(f"generating {folder}", flush=True)
            write_checkpoint(folder, patch, tokenizer)
        if name == "vit-b-32":
            write_onnx(folder, patch)


main()
