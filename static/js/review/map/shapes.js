// The dots: each shape as a path in a square from -1 to 1, drawn in the legend, and stamped on the map.

const PATHS = {
  dot: "M-.85 0A.85 .85 0 1 0 .85 0 .85 .85 0 1 0-.85 0Z",
  square: "M-.78-.78H.78V.78H-.78Z",
  triangle: "M0-1L.95 .75H-.95Z",
  diamond: "M0-1L1 0 0 1-1 0Z",
  cross: "M-.9-.55L-.55-.9 0-.35 .55-.9 .9-.55 .35 0 .9 .55 .55 .9 0 .35-.55 .9-.9 .55-.35 0Z",
  plus: "M-.3-1H.3V-.3H1V.3H.3V1H-.3V.3H-1V-.3H-.3Z",
  ring: "M-.95 0A.95 .95 0 1 0 .95 0 .95 .95 0 1 0-.95 0ZM-.55 0A.55 .55 0 1 1 .55 0 .55 .55 0 1 1-.55 0Z",
};
export const OF_LABELS = ["dot", "square", "triangle", "diamond", "cross", "plus"];

const SVG = "http://www.w3.org/2000/svg";
const stamps = new Map();

export function icon(shape, colour) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "-1.2 -1.2 2.4 2.4");
  svg.setAttribute("class", "map-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[shape]);
  path.setAttribute("fill-rule", "evenodd");
  path.setAttribute("fill", colour);
  svg.append(path);
  return svg;
}

// Which pixels a shape of this radius covers, and how much of each: {dx, dy, cover} of equal lengths, cover of 255.
export function stamp_of(shape, radius_px) {
  const radius = Math.max(0.75, Math.round(radius_px * 4) / 4);
  const key = `${shape} ${radius}`;
  if (!stamps.has(key)) stamps.set(key, make_stamp(shape, radius));
  return stamps.get(key);
}

function make_stamp(shape, radius) {
  const middle = Math.ceil(radius) + 1;
  const size = 2 * middle + 1;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.translate(middle + 0.5, middle + 0.5);
  context.scale(radius, radius);
  context.fill(new Path2D(PATHS[shape]), "evenodd");
  const { data } = context.getImageData(0, 0, size, size);
  const covered = Array.from({ length: size * size }, (_, at) => at).filter((at) => data[4 * at + 3] > 8);
  return {
    reach: middle,
    dx: Int16Array.from(covered, (at) => (at % size) - middle),
    dy: Int16Array.from(covered, (at) => Math.floor(at / size) - middle),
    cover: Uint8Array.from(covered, (at) => data[4 * at + 3]),
  };
}
