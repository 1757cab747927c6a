// Draws the dots and knows where they are on the screen. 100,000 of them are stamped pixel by pixel into one picture:
// a canvas asked to fill each takes ten times as long.

import { stamp_of } from "./shapes.js";

const MARGIN_PX = 24; // of the picture beyond the canvas, so that dots at the edge need no special care
const CLOSEST = 400;
const HIT_PX = 12;
const PLACES = 2 ** 20;

export class View extends EventTarget {
  #canvas;
  #context;
  #x = new Float32Array(0);
  #y = new Float32Array(0);
  #kinds = new Uint16Array(0);
  #styles = [];
  #chosen = new Uint8Array(0);
  #cursor = -1;
  #scale = 1; // how much closer than the whole map
  #middle = { x: 0.5, y: 0.5 };
  #frame = 0;
  #box = null;
  #picture = null;
  #pixels = null;

  // "move": what is in view has changed.
  constructor(canvas) {
    super();
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.dispatchEvent(new Event("theme")));
  }

  get n() {
    return this.#x.length;
  }

  // Columns of numbers from 0 to 65,535.
  place({ x, y }) {
    this.#x = Float32Array.from(x, (value) => value / 65_535);
    this.#y = Float32Array.from(y, (value) => value / 65_535);
    this.#chosen = new Uint8Array(this.n);
    this.#cursor = -1;
    this.draw();
  }

  // `kinds[i]` is the place in `styles` of how point i looks: {shape, colour: [r, g, b], size, strength, is_faint}; a
  // place that is none hides it, faint ones cannot be chosen. Later styles are drawn over earlier ones.
  paint(kinds, styles) {
    this.#kinds = kinds;
    this.#styles = styles;
    this.draw();
  }

  choose(chosen) {
    this.#chosen = chosen;
    this.draw();
  }

  point_at_cursor(place) {
    this.#cursor = place;
    this.draw();
  }

  show_box(box) {
    this.#box = box;
    this.draw();
  }

  is_shown(place) {
    const style = this.#styles[this.#kinds[place]];
    return Boolean(style) && !style.is_faint;
  }

  // Looking around

  whole() {
    this.#scale = 1;
    this.#middle = { x: 0.5, y: 0.5 };
    this.#moved();
  }

  pan(dx_px, dy_px) {
    const unit = this.#unit_px();
    this.#middle.x = clamp(this.#middle.x - dx_px / unit, 0, 1);
    this.#middle.y = clamp(this.#middle.y - dy_px / unit, 0, 1);
    this.#moved();
  }

  // Closer by a factor, the place at `at` (canvas pixels) staying where it is.
  zoom(factor, at = this.#centre()) {
    const scale = clamp(this.#scale * factor, 1, CLOSEST);
    const before = this.#to_map(at);
    this.#scale = scale;
    const after = this.#to_map(at);
    this.#middle.x = clamp(this.#middle.x + before.x - after.x, 0, 1);
    this.#middle.y = clamp(this.#middle.y + before.y - after.y, 0, 1);
    this.#moved();
  }

  // Come as near as needed for a point to be in view.
  show(place) {
    const { x, y } = this.#to_screen(place);
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (x > 8 && y > 8 && x < width - 8 && y < height - 8) return;
    this.#middle = { x: this.#x[place], y: this.#y[place] };
    this.#moved();
  }

  // The point at a place of the canvas, or -1.
  hit({ x, y }) {
    let best = -1;
    let nearest = HIT_PX * HIT_PX;
    const { unit, left, top } = this.#to_pixels();
    for (let i = 0; i < this.n; i += 1) {
      const dx = this.#x[i] * unit + left - x;
      const dy = this.#y[i] * unit + top - y;
      const apart = dx * dx + dy * dy;
      if (apart <= nearest && this.is_shown(i)) {
        nearest = apart;
        best = i;
      }
    }
    return best;
  }

  // Points within a box of canvas pixels, those nearest its middle first.
  within({ left, top, right, bottom }) {
    const found = new Float64Array(this.n);
    let n_found = 0;
    const to = this.#to_pixels();
    const [across, down] = [(left + right) / 2, (top + bottom) / 2];
    for (let i = 0; i < this.n; i += 1) {
      const x = this.#x[i] * to.unit + to.left;
      const y = this.#y[i] * to.unit + to.top;
      if (x < left || x > right || y < top || y > bottom || !this.is_shown(i)) continue;
      // How far, and which, in one number: an array of numbers sorts ten times as fast as one of pairs.
      found[n_found] = Math.round((x - across) ** 2 + (y - down) ** 2) * PLACES + i;
      n_found += 1;
    }
    return Array.from(found.subarray(0, n_found).sort(), (both) => both % PLACES);
  }

  in_view() {
    return this.within({ left: 0, top: 0, right: this.#canvas.clientWidth, bottom: this.#canvas.clientHeight });
  }

  // Drawing

  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw_now();
    });
  }

  #moved() {
    this.draw();
    this.dispatchEvent(new Event("move"));
  }

  #centre() {
    return { x: this.#canvas.clientWidth / 2, y: this.#canvas.clientHeight / 2 };
  }

  #unit_px() {
    return Math.min(this.#canvas.clientWidth, this.#canvas.clientHeight) * 0.94 * this.#scale;
  }

  #to_pixels() {
    const unit = this.#unit_px();
    const { x, y } = this.#centre();
    return { unit, left: x - this.#middle.x * unit, top: y - this.#middle.y * unit };
  }

  #to_map(at) {
    const { unit, left, top } = this.#to_pixels();
    return { x: (at.x - left) / unit, y: (at.y - top) / unit };
  }

  #to_screen(place) {
    const { unit, left, top } = this.#to_pixels();
    return { x: this.#x[place] * unit + left, y: this.#y[place] * unit + top };
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    const width = Math.round(this.#canvas.clientWidth * ratio);
    const height = Math.round(this.#canvas.clientHeight * ratio);
    if (!width || !height) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#picture = null;
    this.#draw_now();
    this.dispatchEvent(new Event("move"));
  }

  #radius_px() {
    const far = this.n < 300 ? 5.5 : this.n < 1_000 ? 4.5 : this.n < 5_000 ? 3.4 : this.n < 20_000 ? 2.4 : 1.7;
    return Math.min(7, far * this.#scale ** 0.3);
  }

  #draw_now() {
    const { width, height } = this.#canvas;
    if (!width || !this.#styles.length) return;
    const ratio = devicePixelRatio || 1;
    const margin = Math.round(MARGIN_PX * ratio);
    this.#picture ??= new ImageData(width + 2 * margin, height + 2 * margin);
    this.#pixels = this.#picture.data;
    const paper = rgb_of(getComputedStyle(this.#canvas).backgroundColor);
    new Uint32Array(this.#pixels.buffer).fill((255 << 24) | (paper[2] << 16) | (paper[1] << 8) | paper[0]);
    this.#styles.forEach((style, kind) => this.#stamp(this.#kinds, kind, style, this.#radius_px(), ratio));
    const mark = { shape: "ring", colour: rgb_of(getComputedStyle(this.#canvas).outlineColor), size: 1, strength: 1 };
    this.#stamp(this.#chosen, 1, mark, this.#radius_px() + 3, ratio);
    this.#context.putImageData(this.#picture, -margin, -margin);
    this.#draw_marks(ratio);
  }

  // Draw every point whose number in `kinds` is `kind`.
  #stamp(kinds, kind, style, radius_px, ratio) {
    const { dx, dy, cover } = stamp_of(style.shape, radius_px * style.size * ratio);
    const margin = Math.round(MARGIN_PX * ratio);
    const { unit, left, top } = this.#to_pixels();
    const wide = this.#picture.width;
    const right = wide - margin;
    const bottom = this.#picture.height - margin;
    const [red, green, blue] = style.colour;
    const pixels = this.#pixels;
    const weights = Float32Array.from(cover, (each) => (each / 255) * style.strength);
    const offsets = Int32Array.from(dx, (each, k) => 4 * (dy[k] * wide + each));
    for (let i = 0; i < this.n; i += 1) {
      if (kinds[i] !== kind) continue;
      const x = Math.round((this.#x[i] * unit + left) * ratio) + margin;
      const y = Math.round((this.#y[i] * unit + top) * ratio) + margin;
      if (x < margin / 2 || y < margin / 2 || x >= right + margin / 2 || y >= bottom + margin / 2) continue;
      const start = 4 * (y * wide + x);
      for (let k = 0; k < offsets.length; k += 1) {
        const at = start + offsets[k];
        const weight = weights[k];
        pixels[at] += (red - pixels[at]) * weight;
        pixels[at + 1] += (green - pixels[at + 1]) * weight;
        pixels[at + 2] += (blue - pixels[at + 2]) * weight;
      }
    }
  }

  // The cursor and the box lie over the dots.
  #draw_marks(ratio) {
    const context = this.#context;
    const style = getComputedStyle(this.#canvas);
    const radius = (this.#radius_px() + 6.5) * ratio;
    context.save();
    context.strokeStyle = style.outlineColor;
    context.fillStyle = style.outlineColor;
    if (this.#cursor >= 0) {
      const { x, y } = this.#to_screen(this.#cursor);
      context.lineWidth = 2.5 * ratio;
      context.beginPath();
      context.arc(x * ratio, y * ratio, radius, 0, 2 * Math.PI);
      context.stroke();
    }
    if (this.#box) {
      const { left, top, right, bottom } = this.#box;
      const box = [left, top, right - left, bottom - top].map((value) => value * ratio);
      context.globalAlpha = 0.14;
      context.fillRect(...box);
      context.globalAlpha = 1;
      context.setLineDash([6 * ratio, 4 * ratio]);
      context.strokeRect(...box);
    }
    context.restore();
  }
}

export function rgb_of(colour) {
  return (colour.match(/[\d.]+/g) ?? [0, 0, 0]).slice(0, 3).map(Number);
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}
