/**
 * Draws a map over its square of a photo: opaque at places that hardly show the name, clear at
 * those that show it most.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{width: number, height: number, values: ArrayLike<number>}} map shares, 0 to 1
 * @param {[number, number, number]} [tone] color of covered places
 */
export function drawHeatmap(canvas, { width, height, values }, tone = [16, 24, 40]) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  // Stretched to the range of the values: the map shows how places differ.
  const low = Math.min(...values);
  const range = Math.max(...values) - low;
  for (let i = 0; i < values.length; i += 1) {
    const share = range > 0 ? (values[i] - low) / range : 1;
    pixels.data.set([...tone, Math.round(255 * (1 - share))], i * 4);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/**
 * The middle square of a picture as it is shown, in its own pixels: what the model looks at.
 *
 * @param {number} width
 * @param {number} height
 */
export function middleSquare(width, height) {
  const side = Math.min(width, height);
  return { left: (width - side) / 2, top: (height - side) / 2, side };
}
