// The pictures of a slide map, one above the other: tissue, probability, outline.

import { colour } from "./scale.js";

const WIDEST = 2600; // pixels of a canvas
const OUTLINE = ["#10131a", "#7df9ff"];
const LAYERS = ["slide-tissue", "slide-heat", "slide-outline"];

const by = (id) => document.getElementById(id);

export class SlideCanvas {
  /** Makes room for a map and says where on its grid every patch lies. */
  constructor(map) {
    this.map = map;
    this.margin = 0.1 * map.step; // room for the outline around patches at the edge
    [this.width, this.height] = [map.width + 2 * this.margin, map.height + 2 * this.margin];
    this.scale = Math.min(1, WIDEST / this.width, WIDEST / this.height);
    this.places = new Map();
    for (const patch of map.patches) {
      patch.column = Math.round((patch.x - map.left) / map.step);
      patch.row = Math.round((patch.y - map.top) / map.step);
      this.places.set(`${patch.column},${patch.row}`, patch);
    }
    this.columns = Math.max(...map.patches.map((patch) => patch.column)) + 1;
    this.rows = Math.max(...map.patches.map((patch) => patch.row)) + 1;
    for (const layer of LAYERS) {
      by(layer).width = Math.ceil(this.width * this.scale);
      by(layer).height = Math.ceil(this.height * this.scale);
    }
    // Neither taller than the window nor larger than the slide itself.
    const widest = Math.min(this.width, (window.innerHeight * 0.8 * this.width) / this.height);
    by("slide-frame").style.width = `${widest}px`;
    by("slide-frame").style.aspectRatio = `${this.width} / ${this.height}`;
  }

  /** The patch at a place of the grid. */
  at(column, row) {
    return this.places.get(`${column},${row}`);
  }

  has(column, row) {
    return column >= 0 && row >= 0 && column < this.columns && row < this.rows;
  }

  /** The patch under a pointer. */
  under({ clientX, clientY }) {
    const shown = by("slide-heat").getBoundingClientRect();
    const unit = this.width / shown.width; // pixels of the slide to one shown
    const x = this.map.left - this.margin + (clientX - shown.left) * unit;
    const y = this.map.top - this.margin + (clientY - shown.top) * unit;
    return this.map.patches.find(
      (patch) =>
        patch.x <= x && x < patch.x + patch.width && patch.y <= y && y < patch.y + patch.height,
    );
  }

  /** A patch's left, top, right and bottom, each from 0 to 1 of the canvas. */
  shares(patch) {
    const [x, y, width, height] = this.box(patch);
    const [wide, high] = [this.width * this.scale, this.height * this.scale];
    return [x / wide, y / high, (x + width) / wide, (y + height) / high];
  }

  /** A patch's left, top, width and height on the canvas. */
  box({ x, y, width, height }) {
    return [...this.point(x, y), width * this.scale, height * this.scale];
  }

  /** A place of the slide on the canvas. */
  point(x, y) {
    const { left, top } = this.map;
    return [x - left + this.margin, y - top + this.margin].map((length) => length * this.scale);
  }

  async drawTissue(files) {
    const context = cleared("slide-tissue");
    // Of files with one name the server takes the first as well.
    const byName = new Map([...files].reverse().map((file) => [file.name, file]));
    for (const patch of this.map.patches) {
      try {
        const image = await createImageBitmap(byName.get(patch.name));
        context.drawImage(image, ...this.box(patch));
        image.close();
      } catch {
        // The browser cannot show this kind of image: the map does without it.
      }
    }
  }

  /** Draws every patch in its colour, with a cross where it is unlike the training images. */
  drawHeat(probability) {
    const context = cleared("slide-heat");
    const crosses = new Path2D();
    for (const patch of this.map.patches) {
      const [x, y, width, height] = this.box(patch);
      context.fillStyle = `rgb(${colour(probability(patch)).join(" ")})`;
      context.fillRect(x, y, width, height);
      if (!patch.unlike_training) continue;
      crosses.moveTo(x, y);
      crosses.lineTo(x + width, y + height);
      crosses.moveTo(x + width, y);
      crosses.lineTo(x, y + height);
    }
    this.stroke(context, crosses, ["#ffffff", "#10131a"]);
  }

  /** Draws the server's outline. */
  drawOutline({ features }) {
    const lines = new Path2D();
    for (const { geometry } of features) {
      for (const ring of geometry.coordinates) {
        ring.forEach(([x, y], index) => lines[index ? "lineTo" : "moveTo"](...this.point(x, y)));
        lines.closePath();
      }
    }
    this.stroke(cleared("slide-outline"), lines, OUTLINE);
  }

  /** Draws the sides of these patches that none of them has on its other side. */
  drawSides(patches) {
    const lines = new Path2D();
    const within = new Set(patches);
    for (const patch of patches) {
      const { x, y, width, height } = patch;
      const [right, bottom] = [x + width, y + height];
      for (const [columns, rows, ...[from, to]] of [
        [-1, 0, [x, y], [x, bottom]], [1, 0, [right, y], [right, bottom]],
        [0, -1, [x, y], [right, y]], [0, 1, [x, bottom], [right, bottom]],
      ]) {
        if (within.has(this.at(patch.column + columns, patch.row + rows))) continue;
        lines.moveTo(...this.point(...from));
        lines.lineTo(...this.point(...to));
      }
    }
    this.stroke(cleared("slide-outline"), lines, OUTLINE);
  }

  /** Draws lines in two colours, the second within the first: they show on any ground. */
  stroke(context, lines, [around, within]) {
    for (const [style, width] of [[around, 0.13], [within, 0.06]]) {
      context.strokeStyle = style;
      context.lineWidth = Math.max(1.5, width * this.map.step * this.scale);
      context.lineJoin = "miter";
      context.lineCap = "square";
      context.stroke(lines);
    }
  }
}

/** An empty canvas to draw on. */
function cleared(id) {
  const context = by(id).getContext("2d");
  context.clearRect(0, 0, by(id).width, by(id).height);
  return context;
}
