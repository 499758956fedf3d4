/**
 * Draws a map over the square that it belongs to: covered where the name has little of a place, clear
 * where it has most, stretched to the range of the values. The canvas takes the map's own size; the
 * page scales it.
 */
export function drawHeatmap(
  canvas: HTMLCanvasElement,
  map: { width: number; height: number; values: ArrayLike<number> },
  tone?: [number, number, number],
): void;

/** The middle square of a picture, in its own pixels: what the model looks at. */
export function middleSquare(width: number, height: number): { left: number; top: number; side: number };
