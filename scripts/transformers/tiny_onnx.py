#!/usr/bin/env python3
"""Writes the tiny CLIP that tests/browser/pipeline.test.mjs gives to promptlens and to transformers.js.

    python3 -m venv ~/.cache/promptlens/onnx
    ~/.cache/promptlens/onnx/bin/pip install numpy==2.4.6 onnx==1.23.2
    ~/.cache/promptlens/onnx/bin/python scripts/transformers/tiny_onnx.py tests/browser/tiny-clip

One set of weights twice: model.safetensors as Hugging Face's CLIPModel is saved, and onnx/ as
transformers.js finds it (model.onnx with both towers, vision_model.onnx with the image tower). Weights
are those of one seeded generator; the same command gives the same files. The tokenizer is CLIP's with
the single characters and the first merges of the built-in model's.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 20261130
WIDTH, HEADS, LAYERS, DIMENSION = 16, 2, 2, 16
MLP = 2 * WIDTH
SIZE, PATCH = 32, 8
CONTEXT, MERGES = 24, 96
CHARACTERS = 512
SOT, EOT = CHARACTERS + MERGES, CHARACTERS + MERGES + 1
OPSET, IR_VERSION = 17, 8
BUILT_IN = pathlib.Path(__file__).parents[2] / "www/models/mini/tokenizer.json"

CONFIG = {
    "architectures": ["CLIPModel"],
    "model_type": "clip",
    "projection_dim": DIMENSION,
    "logit_scale_init_value": 2.6592,
    "text_config": {
        "model_type": "clip_text_model", "hidden_size": WIDTH, "intermediate_size": MLP,
        "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "hidden_act": "quick_gelu",
        "max_position_embeddings": CONTEXT, "vocab_size": EOT + 1, "projection_dim": DIMENSION,
        "layer_norm_eps": 1e-5, "bos_token_id": SOT, "eos_token_id": EOT, "pad_token_id": EOT,
    },
    "vision_config": {
        "model_type": "clip_vision_model", "hidden_size": WIDTH, "intermediate_size": MLP,
        "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "hidden_act": "quick_gelu",
        "image_size": SIZE, "patch_size": PATCH, "projection_dim": DIMENSION, "layer_norm_eps": 1e-5,
    },
}
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": SIZE},
    "resample": 3, "do_center_crop": True, "crop_size": {"height": SIZE, "width": SIZE},
    "do_convert_rgb": True, "do_rescale": True, "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
}
TOKENIZER = {
    "tokenizer_class": "CLIPTokenizer", "model_max_length": CONTEXT, "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
}


def tokenizer():
    """The built-in model's, cut after its first merges."""
    whole = json.loads(BUILT_IN.read_text())
    model = whole["model"]
    kept = {token: id for token, id in model["vocab"].items() if id < CHARACTERS + MERGES}
    model["vocab"] = {**kept, "<|startoftext|>": SOT, "<|endoftext|>": EOT}
    model["merges"] = model["merges"][:MERGES]
    for added in whole["added_tokens"]:
        added["id"] = model["vocab"][added["content"]]
    whole["post_processor"].update(cls=["<|startoftext|>", SOT], sep=["<|endoftext|>", EOT])
    return whole


def weights():
    """Hugging Face name -> f32 array."""
    generator = np.random.default_rng(SEED)
    found = {"logit_scale": np.float32(np.log(20.0))}

    def normal(name, shape, deviation):
        found[name] = (generator.standard_normal(shape) * deviation).astype(np.float32)

    def norm(name):
        found[f"{name}.weight"] = (1 + 0.1 * generator.standard_normal(WIDTH)).astype(np.float32)
        normal(f"{name}.bias", [WIDTH], 0.1)

    def linear(name, outputs, inputs):
        normal(f"{name}.weight", [outputs, inputs], inputs**-0.5)
        normal(f"{name}.bias", [outputs], 0.1)

    for tower in ("text_model", "vision_model"):
        for i in range(LAYERS):
            block = f"{tower}.encoder.layers.{i}"
            norm(f"{block}.layer_norm1")
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                linear(f"{block}.self_attn.{part}", WIDTH, WIDTH)
            norm(f"{block}.layer_norm2")
            linear(f"{block}.mlp.fc1", MLP, WIDTH)
            linear(f"{block}.mlp.fc2", WIDTH, MLP)
    normal("text_model.embeddings.token_embedding.weight", [EOT + 1, WIDTH], 1.0)
    normal("text_model.embeddings.position_embedding.weight", [CONTEXT, WIDTH], 0.3)
    norm("text_model.final_layer_norm")
    normal("text_projection.weight", [DIMENSION, WIDTH], WIDTH**-0.5)
    normal("vision_model.embeddings.class_embedding", [WIDTH], 1.0)
    normal("vision_model.embeddings.patch_embedding.weight", [WIDTH, 3, PATCH, PATCH], (3 * PATCH**2) ** -0.5)
    normal("vision_model.embeddings.position_embedding.weight", [(SIZE // PATCH) ** 2 + 1, WIDTH], 0.3)
    norm("vision_model.pre_layrnorm")
    norm("vision_model.post_layernorm")
    normal("visual_projection.weight", [DIMENSION, WIDTH], WIDTH**-0.5)
    return found


def safetensors(tensors):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [end, end + value.nbytes]}
        end += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(value.tobytes() for value in tensors.values())


class Graph:
    """An ONNX graph under construction; every call appends a node and returns its output's name."""

    def __init__(self, tensors):
        self.weights, self.nodes, self.initializers = tensors, [], {}

    def constant(self, name, value):
        self.initializers[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def ints(self, *values):
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def node(self, kind, *inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def linear(self, x, name, bias=True):
        y = self.node("MatMul", x, self.node("Transpose", self.weight(f"{name}.weight"), perm=[1, 0]))
        return self.node("Add", y, self.weight(f"{name}.bias")) if bias else y

    def norm(self, x, name):
        return self.node("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1, epsilon=1e-5)

    def attention(self, x, name, mask):
        parts = [self.node("Reshape", self.linear(x, f"{name}.{p}_proj"), self.ints(0, 0, HEADS, WIDTH // HEADS)) for p in "qkv"]
        scale = self.constant("scale", np.float32((WIDTH // HEADS) ** -0.5))
        q = self.node("Mul", self.node("Transpose", parts[0], perm=[0, 2, 1, 3]), scale)
        scores = self.node("MatMul", q, self.node("Transpose", parts[1], perm=[0, 2, 3, 1]))
        scores = self.node("Add", scores, mask) if mask else scores
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), self.node("Transpose", parts[2], perm=[0, 2, 1, 3]))
        joined = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.ints(0, 0, WIDTH))
        return self.linear(joined, f"{name}.out_proj")

    def blocks(self, x, tower, mask=None):
        slope = self.constant("slope", np.float32(1.702))
        for i in range(LAYERS):
            block = f"{tower}.encoder.layers.{i}"
            x = self.node("Add", x, self.attention(self.norm(x, f"{block}.layer_norm1"), f"{block}.self_attn", mask))
            hidden = self.linear(self.norm(x, f"{block}.layer_norm2"), f"{block}.mlp.fc1")
            hidden = self.node("Mul", hidden, self.node("Sigmoid", self.node("Mul", hidden, slope)))
            x = self.node("Add", x, self.linear(hidden, f"{block}.mlp.fc2"))
        return x

    def vision(self):
        """pixel_values [N, 3, S, S] -> features [N, d]."""
        at = "vision_model.embeddings"
        x = self.node("Conv", "pixel_values", self.weight(f"{at}.patch_embedding.weight"), kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH])
        x = self.node("Transpose", self.node("Reshape", x, self.ints(0, WIDTH, -1)), perm=[0, 2, 1])
        batch = self.node("Slice", self.node("Shape", "pixel_values"), self.ints(0), self.ints(1))
        row = self.node("Reshape", self.weight(f"{at}.class_embedding"), self.ints(1, 1, WIDTH))
        row = self.node("Expand", row, self.node("Concat", batch, self.ints(1, WIDTH), axis=0))
        x = self.node("Add", self.node("Concat", row, x, axis=1), self.weight(f"{at}.position_embedding.weight"))
        x = self.blocks(self.norm(x, "vision_model.pre_layrnorm"), "vision_model")
        x = self.node("Gather", x, self.constant("first", np.int64(0)), axis=1)
        return self.linear(self.norm(x, "vision_model.post_layernorm"), "visual_projection", bias=False)

    def text(self):
        """input_ids [K, L], padded with EOT -> features [K, d]."""
        at = "text_model.embeddings"
        length = self.node("Slice", self.node("Shape", "input_ids"), self.ints(1), self.ints(2))
        positions = self.node("Slice", self.weight(f"{at}.position_embedding.weight"), self.ints(0), length, self.ints(0))
        x = self.node("Add", self.node("Gather", self.weight(f"{at}.token_embedding.weight"), "input_ids", axis=0), positions)
        causal = self.constant("causal", np.triu(np.full((CONTEXT, CONTEXT), -1e9, np.float32), 1))
        mask = self.node("Slice", causal, self.ints(0, 0), self.node("Concat", length, length, axis=0), self.ints(0, 1))
        x = self.norm(self.blocks(x, "text_model", mask), "text_model.final_layer_norm")
        # The first EOT, whose id is the largest.
        end = self.node("Unsqueeze", self.node("ArgMax", "input_ids", axis=1, keepdims=0), self.ints(1))
        x = self.node("GatherND", x, end, batch_dims=1)
        return self.linear(x, "text_projection", bias=False)

    def unit(self, x):
        return self.node("Div", x, self.node("ReduceL2", x, axes=[1], keepdims=1))

    def logits(self, image, text):
        scale = self.node("Exp", self.weight("logit_scale"))
        return self.node("Mul", self.node("MatMul", image, self.node("Transpose", text, perm=[1, 0])), scale)

    def save(self, path, inputs, outputs):
        """`outputs`: name -> (value, shape)."""
        for name, (value, _) in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self.nodes, path.stem,
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()],
            list(self.initializers.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        onnx.save_model(model, str(path))


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    files = {"config": CONFIG, "preprocessor_config": PREPROCESSOR, "tokenizer_config": TOKENIZER}
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(), ensure_ascii=False, separators=(",", ":")) + "\n")
    tensors = weights()
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    pixels = {"pixel_values": (TensorProto.FLOAT, ["images", 3, SIZE, SIZE])}
    graph = Graph(tensors)
    graph.save(folder / "onnx/vision_model.onnx", pixels, {"image_embeds": (graph.vision(), ["images", DIMENSION])})
    graph = Graph(tensors)
    image, text = graph.unit(graph.vision()), graph.unit(graph.text())
    graph.save(
        folder / "onnx/model.onnx",
        {"input_ids": (TensorProto.INT64, ["texts", "tokens"]), **pixels},
        {"logits_per_image": (graph.logits(image, text), ["images", "texts"]), "image_embeds": (image, ["images", DIMENSION]), "text_embeds": (text, ["texts", DIMENSION])},
    )


main()
