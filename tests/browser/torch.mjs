/** A safetensors file of 32-bit floats as `torch.save` writes the same state dictionary. */
const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
const text = (value) => Buffer.concat([Buffer.from("X"), int32(Buffer.byteLength(value)), Buffer.from(value)]);
const int = (value) => Buffer.concat([Buffer.from("J"), int32(value)]);
const ints = (values) => Buffer.concat([Buffer.from("("), ...values.map(int), Buffer.from("t")]);

/** `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`. */
function tensor(key, shape) {
  const count = shape.reduce((product, side) => product * side, 1);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, side) => product * side, 1));
  return Buffer.concat([
    Buffer.from("ctorch._utils\n_rebuild_tensor_v2\n(("),
    text("storage"),
    Buffer.from("ctorch\nFloatStorage\n"),
    text(String(key)),
    text("cpu"),
    int(count),
    Buffer.from("tQ"),
    int(0),
    ints(shape),
    ints(strides),
    Buffer.from([0x89]),
    Buffer.from("ccollections\nOrderedDict\n)RtR"),
  ]);
}

/** A zip without sizes in front of the data, padded to 64 bytes, as PyTorch's. */
function archive(members) {
  const out = [];
  const directory = [];
  let at = 0;
  const add = (...parts) => {
    for (const part of parts) at += part.length;
    out.push(...parts);
  };
  for (const [name, bytes] of members) {
    const pad = (64 - ((at + 30 + name.length + 4) % 64)) % 64;
    const local = Buffer.alloc(30 + name.length + 4 + pad, "Z");
    local.fill(0, 0, 30);
    local.write("PK\x03\x04", "latin1");
    local.writeUInt16LE(0x0808, 6);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(4 + pad, 28);
    local.write(name, 30);
    local.write("FB", 30 + name.length);
    local.writeUInt16LE(pad, 32 + name.length);
    const behind = Buffer.alloc(16);
    behind.write("PK\x07\x08", "latin1");
    behind.writeUInt32LE(bytes.length, 8);
    behind.writeUInt32LE(bytes.length, 12);
    const central = Buffer.alloc(46 + name.length);
    central.write("PK\x01\x02", "latin1");
    central.writeUInt32LE(bytes.length, 20);
    central.writeUInt32LE(bytes.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(at, 42);
    central.write(name, 46);
    directory.push(central);
    add(local, bytes, behind);
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...out, list, end]);
}

/** @param {Buffer} safetensors */
export function torchOf(safetensors) {
  const start = 8 + Number(safetensors.readBigUInt64LE(0));
  const { __metadata__, ...entries } = JSON.parse(safetensors.subarray(8, start).toString());
  const pickle = [Buffer.from([0x80, 2]), Buffer.from("}(")];
  const storages = [];
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    if (dtype !== "F32") throw new Error(`${name} is ${dtype}`);
    pickle.push(text(name), tensor(storages.length, shape));
    storages.push([`archive/data/${storages.length}`, safetensors.subarray(start + from, start + to)]);
  }
  pickle.push(Buffer.from("u."));
  // By their names as texts, as torch.save sorts them.
  storages.sort(([a], [b]) => (a < b ? -1 : 1));
  const small = (name, content) => [`archive/${name}`, Buffer.from(content)];
  return archive([small("data.pkl", Buffer.concat(pickle)), small(".format_version", "1"), small("byteorder", "little"), ...storages, small("version", "3\n")]);
}
