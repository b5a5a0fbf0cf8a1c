// Enlarging and moving what lies in a frame: buttons, keys, wheel with Ctrl, fingers.

const MOST = 16;
const STEP = 1.5;

export class Zoom {
  /** `view` fills the `frame`, which cuts it off. */
  constructor(frame, view) {
    this.frame = frame;
    this.view = view;
    this.fingers = new Map(); // pointer -> where it is
    this.reset();
    frame.addEventListener("dblclick", (event) => this.by(STEP * STEP, event));
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => {
      this.fingers.set(event.pointerId, event);
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      frame.addEventListener(end, (event) => this.fingers.delete(event.pointerId));
    }
  }

  reset() {
    [this.scale, this.left, this.top] = [1, 0, 0]; // the corner in frames, 0 or less
    this.apply();
  }

  closer() {
    this.by(STEP);
  }

  farther() {
    this.by(1 / STEP);
  }

  /** Multiplies the scale; what lies at a place of the screen stays there. */
  by(factor, { clientX, clientY } = {}) {
    const box = this.frame.getBoundingClientRect();
    const x = clientX === undefined ? 0.5 : (clientX - box.left) / box.width;
    const y = clientY === undefined ? 0.5 : (clientY - box.top) / box.height;
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.apply();
  }

  /** Moves so that a part can be seen: left, top, right and bottom from 0 to 1 of the view. */
  reveal(left, top, right, bottom) {
    this.left = Math.min(1 - right * this.scale, Math.max(-left * this.scale, this.left));
    this.top = Math.min(1 - bottom * this.scale, Math.max(-top * this.scale, this.top));
    this.apply();
  }

  apply() {
    this.left = Math.min(0, Math.max(1 - this.scale, this.left));
    this.top = Math.min(0, Math.max(1 - this.scale, this.top));
    const place = `${100 * this.left}%, ${100 * this.top}%`;
    this.view.style.transform = `translate(${place}) scale(${this.scale})`;
    this.view.style.setProperty("--scale", this.scale);
    this.frame.classList.toggle("zoomed", this.scale > 1);
  }

  key(event) {
    const act = { "+": () => this.closer(), "-": () => this.farther(), 0: () => this.reset() };
    act[event.key]?.();
  }

  wheel(event) {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    this.by(Math.exp(-event.deltaY / 200), event);
  }

  drag(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    this.fingers.set(event.pointerId, event);
    const others = [...this.fingers.values()].filter((each) => each !== event);
    if (others.length) this.by(distance(event, others[0]) / distance(before, others[0]), event);
    const box = this.frame.getBoundingClientRect();
    this.left += (event.clientX - before.clientX) / box.width;
    this.top += (event.clientY - before.clientY) / box.height;
    this.apply();
  }
}

function distance(one, other) {
  return Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
}
