/**
 * Random CLIPs in every layout that people publish, written tensor by tensor.
 *
 * The weights have the spread of an untrained CLIP of Hugging Face's, and two traits of trained ones:
 * half of each matrix's energy lies in a few directions that all matrices of that width share, and
 * three columns of each are 20 times larger. Without the first, every direction matters alike and no
 * 4-bit form keeps the features (cosine 0.95 over 12 blocks, measured).
 */
import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** OpenAI's ViT-B/32: 151,277,313 weights. */
export const VIT_B_32 = {
  joint: 512,
  vision: { width: 768, layers: 12, heads: 12, image: 224, patch: 32 },
  text: { width: 512, layers: 12, heads: 8, context: 77, vocabulary: 49408 },
};

/** Every tensor by its Hugging Face name, with its shape and the spread of its values. */
export function specs({ joint, vision: v, text: t }) {
  const list = [];
  const add = (name, shape, spread) => list.push({ name, shape, spread });
  const norm = (name, width) => {
    add(`${name}.weight`, [width], "one");
    add(`${name}.bias`, [width], "zero");
  };
  const linear = (name, rows, cols, spread) => {
    add(`${name}.weight`, [rows, cols], spread);
    add(`${name}.bias`, [rows], "zero");
  };
  const blocks = (tower, layers, w) => {
    for (let i = 0; i < layers; i += 1) {
      const at = `${tower}.encoder.layers.${i}`;
      norm(`${at}.layer_norm1`, w);
      for (const part of ["q_proj", "k_proj", "v_proj", "out_proj"]) linear(`${at}.self_attn.${part}`, w, w, w ** -0.5 * (part === "out_proj" ? 1 : (2 * layers) ** -0.5));
      norm(`${at}.layer_norm2`, w);
      linear(`${at}.mlp.fc1`, 4 * w, w, (2 * w) ** -0.5);
      linear(`${at}.mlp.fc2`, w, 4 * w, w ** -0.5 * (2 * layers) ** -0.5);
    }
  };
  add("logit_scale", [], "scale");
  add("text_model.embeddings.token_embedding.weight", [t.vocabulary, t.width], 0.02);
  add("text_model.embeddings.position_embedding.weight", [t.context, t.width], 0.02);
  blocks("text_model", t.layers, t.width);
  norm("text_model.final_layer_norm", t.width);
  add("text_projection.weight", [joint, t.width], t.width ** -0.5);
  add("vision_model.embeddings.class_embedding", [v.width], v.width ** -0.5);
  add("vision_model.embeddings.patch_embedding.weight", [v.width, 3, v.patch, v.patch], 0.02);
  add("vision_model.embeddings.position_embedding.weight", [(v.image / v.patch) ** 2 + 1, v.width], 0.02);
  norm("vision_model.pre_layrnorm", v.width);
  blocks("vision_model", v.layers, v.width);
  norm("vision_model.post_layernorm", v.width);
  add("visual_projection.weight", [joint, v.width], v.width ** -0.5);
  return list;
}

/** OpenAI's, which are OpenCLIP's own too. */
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const STD = [0.26862954, 0.26130258, 0.27577711];

const size = (shape) => shape.reduce((a, b) => a * b, 1);

/** Draws with a normal distribution, by a table and a 32-bit generator. */
const NORMAL = (() => {
  const table = new Float32Array(1 << 16);
  let state = 12345;
  const uniform = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) + 0.5) / 2 ** 32;
  for (let i = 0; i < table.length; i += 1) table[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return table;
})();

/** Directions in which the matrices of a model agree, and the share of their energy that lies there. */
const RANK = 32;
const SHARED = 0.5;

const bases = new Map();

/** `RANK` directions of a space, as rows; the same for every matrix that reads or writes it. */
function basis(dimension) {
  if (!bases.has(dimension)) bases.set(dimension, normals(RANK * dimension, dimension));
  return bases.get(dimension);
}

function normals(count, number) {
  const data = new Float32Array(count);
  let state = (number * 2654435761 + 97) >>> 0;
  for (let i = 0; i < count; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = NORMAL[state >>> 16];
  }
  return data;
}

/** The values of the tensor with this number; the same whatever the layout. */
export function values({ shape, spread }, number) {
  if (spread === "scale") return new Float32Array(1).fill(Math.log(100));
  const data = normals(size(shape), number);
  const constant = { one: 1, zero: 0 }[spread];
  if (constant !== undefined) return data.map((value) => constant + value * 0.02);
  const [rows, cols] = shape;
  if (shape.length !== 2 || rows > 40_000) return data.map((value) => value * spread);

  const own = spread * Math.sqrt(1 - SHARED);
  const common = (spread * Math.sqrt(SHARED)) / RANK;
  const [outputs, inputs, mixing] = [basis(rows), basis(cols), normals(RANK * RANK, number + 1e6)];
  for (let r = 0; r < rows; r += 1) {
    const row = data.subarray(r * cols, (r + 1) * cols);
    for (let c = 0; c < cols; c += 1) row[c] *= own;
    for (let k = 0; k < RANK; k += 1) {
      let weight = 0;
      for (let j = 0; j < RANK; j += 1) weight += outputs[j * rows + r] * mixing[j * RANK + k];
      weight *= common;
      const direction = k * cols;
      for (let c = 0; c < cols; c += 1) row[c] += weight * inputs[direction + c];
    }
  }
  for (const column of [7, 211, 400].map((c) => (c * (number + 1)) % cols)) {
    for (let at = column; at < data.length; at += cols) data[at] *= 20;
  }
  return data;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc32(bytes) {
  let crc = ~0;
  for (let i = 0; i < bytes.length; i += 1) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** `config.json` and `preprocessor_config.json` of Hugging Face. */
async function describeHuggingFace(folder, { joint, vision: v, text: t }) {
  const config = {
    model_type: "clip",
    projection_dim: joint,
    vision_config: { hidden_size: v.width, num_hidden_layers: v.layers, num_attention_heads: v.heads, intermediate_size: 4 * v.width, image_size: v.image, patch_size: v.patch, hidden_act: "quick_gelu" },
    text_config: { hidden_size: t.width, num_hidden_layers: t.layers, num_attention_heads: t.heads, intermediate_size: 4 * t.width, max_position_embeddings: t.context, vocab_size: t.vocabulary, hidden_act: "quick_gelu", eos_token_id: 2 },
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  const preprocessor = { size: { shortest_edge: v.image }, crop_size: { width: v.image, height: v.image }, resample: 3, image_mean: MEAN, image_std: STD };
  await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify(preprocessor));
}

/** Writes safetensors files, `per` tensors each, of `[name, shape, () => values]`. */
async function safetensors(path, entries) {
  const header = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const [name, shape] of entries) header[name] = { dtype: "F32", shape, data_offsets: [at, (at += 4 * size(shape))] };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = await open(path, "w");
  await file.write(Buffer.concat([length, text]));
  for (const [, , make] of entries) await file.write(bytesOf(make()));
  await file.close();
}

const plain = (model) => specs(model).map((spec, i) => [spec.name, spec.shape, () => values(spec, i)]);

export async function writeHuggingFace(folder, model) {
  await mkdir(folder, { recursive: true });
  await describeHuggingFace(folder, model);
  await safetensors(join(folder, "model.safetensors"), plain(model));
}

export async function writeSharded(folder, model, count) {
  await mkdir(folder, { recursive: true });
  await describeHuggingFace(folder, model);
  const entries = plain(model);
  const each = Math.ceil(entries.length / count);
  const map = {};
  for (let i = 0; i < count; i += 1) {
    const name = `model-${String(i + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.safetensors`;
    const part = entries.slice(i * each, (i + 1) * each);
    for (const [tensor] of part) map[tensor] = name;
    await safetensors(join(folder, name), part);
  }
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
}

/**
 * The same values under OpenCLIP's names: projections turned, queries, keys and values in one. Every
 * matrix stands before the first bias of a block, an order in which a reader that waits for whole
 * layers would hold the model.
 */
export function openClipEntries(model) {
  const all = new Map(plain(model).map((entry) => [entry[0], entry]));
  const entries = [];
  const take = (from, to) => {
    const [, shape, make] = all.get(from);
    entries.push([to, shape, make]);
  };
  const turned = (from, to) => {
    const [, [rows, cols], make] = all.get(from);
    const turn = () => {
      const data = make();
      const out = new Float32Array(data.length);
      for (let r = 0; r < rows; r += 1) for (let c = 0; c < cols; c += 1) out[c * rows + r] = data[r * cols + c];
      return out;
    };
    entries.push([to, [cols, rows], turn]);
  };
  const thirds = (from, to) => {
    const parts = ["q", "k", "v"].map((p) => all.get(from.replace("*", p)));
    const shape = [3 * parts[0][1][0], ...parts[0][1].slice(1)];
    const make = () => {
      const data = parts.map(([, , part]) => part());
      const out = new Float32Array(size(shape));
      data.forEach((part, i) => out.set(part, i * part.length));
      return out;
    };
    entries.push([to, shape, make]);
  };
  take("logit_scale", "logit_scale");
  take("text_model.embeddings.token_embedding.weight", "token_embedding.weight");
  take("text_model.embeddings.position_embedding.weight", "positional_embedding");
  turned("text_projection.weight", "text_projection");
  turned("visual_projection.weight", "visual.proj");
  take("vision_model.embeddings.class_embedding", "visual.class_embedding");
  take("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight");
  take("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding");
  for (const kind of ["weight", "bias"]) {
    take(`text_model.final_layer_norm.${kind}`, `ln_final.${kind}`);
    take(`vision_model.pre_layrnorm.${kind}`, `visual.ln_pre.${kind}`);
    take(`vision_model.post_layernorm.${kind}`, `visual.ln_post.${kind}`);
    for (const [tower, prefix, layers] of [["text_model", "", model.text.layers], ["vision_model", "visual.", model.vision.layers]]) {
      for (let i = 0; i < layers; i += 1) {
        const [from, to] = [`${tower}.encoder.layers.${i}`, `${prefix}transformer.resblocks.${i}`];
        thirds(`${from}.self_attn.*_proj.${kind}`, `${to}.attn.in_proj_${kind}`);
        take(`${from}.self_attn.out_proj.${kind}`, `${to}.attn.out_proj.${kind}`);
        take(`${from}.layer_norm1.${kind}`, `${to}.ln_1.${kind}`);
        take(`${from}.layer_norm2.${kind}`, `${to}.ln_2.${kind}`);
        take(`${from}.mlp.fc1.${kind}`, `${to}.mlp.c_fc.${kind}`);
        take(`${from}.mlp.fc2.${kind}`, `${to}.mlp.c_proj.${kind}`);
      }
    }
  }
  return entries;
}

async function describeOpenClip(folder, { joint, vision: v, text: t }) {
  const config = {
    model_cfg: {
      embed_dim: joint,
      quick_gelu: true,
      vision_cfg: { image_size: v.image, layers: v.layers, width: v.width, patch_size: v.patch },
      text_cfg: { context_length: t.context, vocab_size: t.vocabulary, width: t.width, heads: t.heads, layers: t.layers },
    },
  };
  await writeFile(join(folder, "open_clip_config.json"), JSON.stringify(config));
}

export async function writeOpenClip(folder, model) {
  await mkdir(folder, { recursive: true });
  await describeOpenClip(folder, model);
  await safetensors(join(folder, "open_clip_model.safetensors"), openClipEntries(model));
}

/** A state dictionary as `torch.save` writes it: a zip with a pickle and one storage per tensor. */
async function stateDictionary(path, entries) {
  const parts = [];
  const text = (s) => {
    const bytes = Buffer.from(s);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    parts.push(Buffer.from("X"), length, bytes);
  };
  const int = (value) => {
    const bytes = Buffer.alloc(5, "J");
    bytes.writeInt32LE(value, 1);
    parts.push(bytes);
  };
  const op = (s) => parts.push(Buffer.from(s, "latin1"));
  const tuple = (list) => {
    op("(");
    list.forEach(int);
    op("t");
  };
  op("\x80\x02}(");
  entries.forEach(([name, shape], key) => {
    text(name);
    op("ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage");
    op("ctorch\nFloatStorage\n");
    text(String(key));
    text("cpu");
    int(size(shape));
    op("tQ");
    int(0);
    tuple(shape);
    tuple(shape.map((_, axis) => size(shape.slice(axis + 1))));
    op("\x89ccollections\nOrderedDict\n)RtR");
  });
  op("u.");
  const file = await open(path, "w");
  const directory = [];
  let at = 0;
  const add = async (name, bytes) => {
    const label = Buffer.from(name);
    const fixed = Buffer.alloc(30);
    fixed.writeUInt32LE(0x04034b50, 0);
    fixed.writeUInt16LE(20, 4);
    fixed.writeUInt32LE(crc32(bytes), 14);
    fixed.writeUInt32LE(bytes.length, 18);
    fixed.writeUInt32LE(bytes.length, 22);
    fixed.writeUInt16LE(label.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 4);
    fixed.copy(entry, 6, 4, 30);
    entry.writeUInt32LE(at, 42);
    directory.push(Buffer.concat([entry, label]));
    await file.write(Buffer.concat([fixed, label]));
    await file.write(bytes);
    at += 30 + label.length + bytes.length;
  };
  await add("archive/data.pkl", Buffer.concat(parts));
  for (const [key, [, , make]] of entries.entries()) await add(`archive/data/${key}`, bytesOf(make()));
  await add("archive/version", Buffer.from("3\n"));
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  await file.write(Buffer.concat([list, end]));
  await file.close();
}

export async function writePyTorch(folder, model) {
  await mkdir(folder, { recursive: true });
  await describeHuggingFace(folder, model);
  await stateDictionary(join(folder, "pytorch_model.bin"), plain(model));
}

export async function writeOpenClipPt(folder, model) {
  await mkdir(folder, { recursive: true });
  await describeOpenClip(folder, model);
  await stateDictionary(join(folder, "ViT-B-32.pt"), openClipEntries(model));
}
