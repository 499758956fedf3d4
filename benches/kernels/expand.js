/* What src/kernels/source.rs does to a shader's text. */
export function expand(source, constants, shared) {
  const value = (scope, name) => {
    if (!(name in scope)) throw new Error(`$${name} has no value`);
    return scope[name];
  };
  const fill = (line, scope) => line.replace(/\$\{(\w+)\}|\$(\w+)/g, (_, a, b) => value(scope, a ?? b));
  const close = (lines, start) => {
    let depth = 0;
    let middle = null;
    for (let at = start; at < lines.length; at += 1) {
      const [word] = lines[at].trim().split(/\s+/);
      if (word === "#if" || word === "#for") depth += 1;
      else if (word === "#else" && depth === 1) middle = at;
      else if (word === "#end") {
        depth -= 1;
        if (depth === 0) return [middle, at];
      }
    }
    throw new Error(`not closed: ${lines[start]}`);
  };
  const out = [];
  const block = (lines, scope) => {
    for (let at = 0; at < lines.length; at += 1) {
      const [word, name, count] = lines[at].trim().split(/\s+/);
      if (word === "#if") {
        const [middle, end] = close(lines, at);
        const on = name in scope && String(scope[name]) !== "0";
        block(on ? lines.slice(at + 1, middle ?? end) : middle ? lines.slice(middle + 1, end) : [], scope);
        at = end;
      } else if (word === "#for") {
        const [, end] = close(lines, at);
        for (let i = 0; i < Number(scope[count] ?? count); i += 1) block(lines.slice(at + 1, end), { ...scope, [name]: i });
        at = end;
      } else if (word === "#include") block(shared[fill(name, scope)].trimEnd().split("\n"), scope);
      else out.push(fill(lines[at], scope));
    }
  };
  block(source.split("\n"), constants);
  return out.join("\n");
}
