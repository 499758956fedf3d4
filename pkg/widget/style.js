/** The widget's style. Pages change it by `--prompt-lens-*` properties and `::part()`. */
const CSS = `
:host {
  --_accent: var(--prompt-lens-accent, light-dark(#0f766e, #4cc2b4));
  --_ink: var(--prompt-lens-ink, light-dark(#1d1f21, #ecebe8));
  --_soft: var(--prompt-lens-soft, light-dark(#5d6166, #a3a8ad));
  --_surface: var(--prompt-lens-surface, light-dark(#ffffff, #1b1d20));
  --_track: var(--prompt-lens-track, light-dark(#f0eeea, #26292d));
  --_line: var(--prompt-lens-line, light-dark(#8b8f94, #6d7379));
  --_bad: var(--prompt-lens-bad, light-dark(#a3341b, #ff9c82));
  --_radius: var(--prompt-lens-radius, 12px);
  display: block;
  max-width: 30rem;
  color: var(--_ink);
  color-scheme: light dark;
  font: 1rem/1.5 system-ui, sans-serif;
}
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
.box {
  display: grid;
  gap: 0.75rem;
  padding: 1rem;
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  background: var(--_surface);
}
.drop {
  position: relative;
  display: grid;
  place-items: center;
  min-height: 9rem;
  overflow: hidden;
  border: 2px dashed var(--_line);
  border-radius: calc(var(--_radius) - 4px);
  text-align: center;
  cursor: pointer;
}
.drop.over, .drop:hover { border-color: var(--_accent); }
.drop:focus-within { outline: 3px solid var(--_accent); outline-offset: 2px; }
.drop input { position: absolute; inset: 0; opacity: 0; cursor: pointer; }
.drop strong { display: block; color: var(--_accent); font-weight: 620; }
.drop small { color: var(--_soft); }
.seen { position: relative; grid-area: 1 / 1; line-height: 0; pointer-events: none; }
.seen img { display: block; max-width: 100%; max-height: 18rem; }
.seen canvas { position: absolute; opacity: 0.6; mix-blend-mode: multiply; }
video { width: 100%; max-height: 18rem; border-radius: calc(var(--_radius) - 4px); background: var(--_track); }
.row { display: flex; flex-wrap: wrap; gap: 0.5rem; }
button {
  min-height: 2.25rem;
  padding: 0.25rem 0.875rem;
  border: 1px solid var(--_line);
  border-radius: 10px;
  background: none;
  color: inherit;
  font: inherit;
  cursor: pointer;
}
button:hover { border-color: var(--_accent); }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
progress { width: 100%; height: 0.375rem; accent-color: var(--_accent); }
ol { display: grid; gap: 0.25rem; min-height: var(--_room, 0); margin: 0; padding: 0; list-style: none; }
li { display: grid; grid-template-columns: minmax(0, 9rem) minmax(2rem, 1fr) 3.5rem; gap: 0.75rem; align-items: center; min-height: 1.75rem; }
li:first-child { font-weight: 620; }
.name { overflow-wrap: anywhere; }
.track { height: 0.5rem; overflow: hidden; border-radius: 1rem; background: var(--_track); }
.fill { display: block; height: 100%; inline-size: calc(var(--_share) * 100%); border-radius: inherit; background: var(--_accent); }
.share { text-align: end; font-variant-numeric: tabular-nums; }
.status, .verdict { margin: 0; min-height: 1.5rem; color: var(--_soft); font-size: 0.875rem; }
.verdict.out { color: var(--_bad); }
.error { margin: 0; color: var(--_bad); overflow-wrap: anywhere; }
.aloud { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (forced-colors: active) { .track { border: 1px solid CanvasText; } .fill { background: Highlight; forced-color-adjust: none; } }
`;

let sheet;

/** One sheet for all widgets. A constructed sheet is no inline style, so a strict policy allows it. */
export function style() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
