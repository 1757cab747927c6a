// Pointer, finger and keys on the map: a drag moves it or draws a box, a wheel or two fingers zoom, a press opens.

const CLICK_PX = 5;
const STEP_PX = 80;
const WHEEL = 0.0022;

export class Hands extends EventTarget {
  #canvas;
  #view;
  #draws_boxes;
  #down = new Map();
  #start = null;
  #apart = 0;

  // `draws_boxes()` says whether a drag without shift draws one.
  // "press" {place, is_added}   "box" {box, is_added}
  constructor(canvas, view, draws_boxes) {
    super();
    this.#canvas = canvas;
    this.#view = view;
    this.#draws_boxes = draws_boxes;
    canvas.addEventListener("pointerdown", (event) => this.#on_down(event));
    canvas.addEventListener("pointermove", (event) => this.#on_move(event));
    canvas.addEventListener("pointerup", (event) => this.#on_up(event));
    canvas.addEventListener("pointercancel", (event) => this.#let_go(event));
    canvas.addEventListener("wheel", (event) => this.#on_wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => view.zoom(2, this.#at(event)));
    canvas.addEventListener("keydown", (event) => this.#on_key(event));
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #on_down(event) {
    if (event.button > 1) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, this.#at(event));
    this.#canvas.focus({ preventScroll: true });
    const draws = event.button === 0 && (event.shiftKey || this.#draws_boxes());
    this.#start = this.#down.size === 1 ? { at: this.#at(event), draws, is_added: event.shiftKey, is_drag: false } : null;
    if (this.#down.size === 2) {
      this.#view.show_box(null);
      this.#apart = this.#distance();
    }
  }

  #on_move(event) {
    const before = this.#down.get(event.pointerId);
    if (!before) return;
    const at = this.#at(event);
    this.#down.set(event.pointerId, at);
    if (this.#down.size === 2) {
      this.#pinch(before, at);
      return;
    }
    if (!this.#start) return;
    this.#start.is_drag ||= Math.hypot(at.x - this.#start.at.x, at.y - this.#start.at.y) > CLICK_PX;
    if (!this.#start.is_drag) return;
    if (this.#start.draws) this.#view.show_box(box_of(this.#start.at, at));
    else this.#view.pan(at.x - before.x, at.y - before.y);
  }

  #pinch(before, at) {
    const apart = this.#distance();
    const points = [...this.#down.values()];
    const middle = { x: (points[0].x + points[1].x) / 2, y: (points[0].y + points[1].y) / 2 };
    if (this.#apart) this.#view.zoom(apart / this.#apart, middle);
    this.#view.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    this.#apart = apart;
  }

  #distance() {
    const [one, other] = [...this.#down.values()];
    return Math.hypot(one.x - other.x, one.y - other.y);
  }

  #on_up(event) {
    const start = this.#start;
    const at = this.#at(event);
    this.#let_go(event);
    if (!start) return;
    const { is_added } = start;
    if (!start.is_drag) this.#tell("press", { place: this.#view.hit(at), is_added });
    else if (start.draws) this.#tell("box", { box: box_of(start.at, at), is_added });
  }

  #let_go(event) {
    this.#down.delete(event.pointerId);
    this.#start = null;
    this.#view.show_box(null);
  }

  #on_wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.#view.zoom(Math.exp(-event.deltaY * lines * WHEEL), this.#at(event));
  }

  #on_key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const step = steps[event.key];
    if (step) this.#view.pan(step[0] * STEP_PX, step[1] * STEP_PX);
    else if (event.key === "Home") this.#view.whole();
    else return;
    event.preventDefault();
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

function box_of(from, to) {
  return {
    left: Math.min(from.x, to.x),
    top: Math.min(from.y, to.y),
    right: Math.max(from.x, to.x),
    bottom: Math.max(from.y, to.y),
  };
}
