const region = document.getElementById("announcer");
let clearing = 0;

/** Says one sentence to screen readers when they next pause. */
export function announce(sentence) {
  const line = document.createElement("p");
  line.textContent = sentence;
  region.append(line);
  // Old sentences would be read again by those who walk through the page.
  clearTimeout(clearing);
  clearing = setTimeout(() => region.replaceChildren(), 10_000);
}
