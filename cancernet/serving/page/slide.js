// The map of one slide: tissue, probability above it, outline at the operating point.

import { Problem, formOf, post } from "./api.js";
import { colour, short } from "./scale.js";
import { download } from "./table.js";

const WIDEST = 1800; // pixels of the canvas
const FORMATS = /\.(png|jpe?g|tiff?|bmp)$/i;

const by = (id) => document.getElementById(id);

export class Slide {
  constructor(facts, say) {
    this.facts = facts;
    this.say = say;
    this.map = null;
    const frame = by("slide-frame");
    frame.addEventListener("pointermove", (event) => this.point(event));
    frame.addEventListener("keydown", (event) => this.step(event));
    by("slide-opacity").addEventListener("input", () => this.setOpacity());
    by("slide-lines").addEventListener("change", () => {
      by("slide-outline").hidden = !by("slide-lines").checked;
    });
    by("slide-csv").addEventListener("click", () => this.download());
    by("slide-clear").addEventListener("click", () => this.clear());
  }

  /** Sends a folder's images; rejects with a Problem. */
  async show(files) {
    const patches = files.filter((file) => FORMATS.test(file.name) && !file.name.startsWith("."));
    const { limits } = this.facts;
    const size = patches.reduce((sum, file) => sum + file.size, 0);
    if (!patches.length) throw new Problem("The folder holds no PNG, JPEG, TIFF or BMP image.");
    if (patches.length > limits.images) {
      throw new Problem(`The folder holds ${patches.length} images; the limit is ${limits.images}.`);
    }
    if (size > limits.request_bytes) {
      throw new Problem(`The folder is larger than the limit of ${limits.request_bytes / 2 ** 20} MiB.`);
    }
    this.say(`Scoring ${patches.length} patches …`);
    this.map = await post("/slide", formOf("patches", patches));
    this.lay(this.map);
    by("slide").hidden = false;
    this.tell();
    this.drawHeat();
    this.drawOutline();
    this.setOpacity();
    await this.drawTissue(patches);
    this.say(`Slide map of ${this.map.patches.length} patches.`, true);
  }

  lay(map) {
    const size = map.patch_size;
    const columns = Math.max(1, Math.ceil(map.width / size));
    this.cell = Math.max(2, Math.min(50, Math.floor(WIDEST / columns)));
    this.places = new Map();
    for (const patch of map.patches) {
      patch.column = Math.round((patch.x - map.left) / size);
      patch.row = Math.round((patch.y - map.top) / size);
      this.places.set(`${patch.column},${patch.row}`, patch);
    }
    this.columns = Math.max(...map.patches.map((patch) => patch.column)) + 1;
    this.rows = Math.max(...map.patches.map((patch) => patch.row)) + 1;
    for (const id of ["slide-tissue", "slide-heat", "slide-outline"]) {
      by(id).width = this.columns * this.cell;
      by(id).height = this.rows * this.cell;
    }
    // Neither taller than the window nor coarser than a patch of 50 pixels.
    const widest = Math.min(this.columns * 50, (window.innerHeight * 0.8 * this.columns) / this.rows);
    by("slide-frame").style.width = `${widest}px`;
    by("slide-frame").style.aspectRatio = `${this.columns} / ${this.rows}`;
    this.here = null;
  }

  async drawTissue(files) {
    const context = by("slide-tissue").getContext("2d");
    const byPlace = new Map();
    for (const file of files) {
      const found = /(?:^|_)x(\d+)_y(\d+)(?:_|\.|$)/.exec(file.name);
      if (found && !byPlace.has(`${+found[1]},${+found[2]}`)) {
        byPlace.set(`${+found[1]},${+found[2]}`, file);
      }
    }
    for (const patch of this.map.patches) {
      try {
        const image = await createImageBitmap(byPlace.get(`${patch.x},${patch.y}`));
        const share = this.cell / this.map.patch_size;
        context.drawImage(
          image, patch.column * this.cell, patch.row * this.cell,
          Math.min(this.cell, image.width * share), Math.min(this.cell, image.height * share),
        );
        image.close();
      } catch {
        // A kind of image the browser cannot show: the map stands without it.
      }
    }
  }

  drawHeat() {
    const context = by("slide-heat").getContext("2d");
    for (const patch of this.map.patches) {
      context.fillStyle = `rgb(${colour(patch.probability).join(" ")})`;
      context.fillRect(patch.column * this.cell, patch.row * this.cell, this.cell, this.cell);
    }
  }

  drawOutline() {
    const context = by("slide-outline").getContext("2d");
    const { cell } = this;
    const lines = new Path2D();
    for (const { column, row, positive } of this.map.patches) {
      if (!positive) continue;
      const [x, y] = [column * cell, row * cell];
      const sides = [
        [0, -1, x, y, x + cell, y], [0, 1, x, y + cell, x + cell, y + cell],
        [-1, 0, x, y, x, y + cell], [1, 0, x + cell, y, x + cell, y + cell],
      ];
      for (const [right, down, ...line] of sides) {
        if (this.places.get(`${column + right},${row + down}`)?.positive) continue;
        lines.moveTo(line[0], line[1]);
        lines.lineTo(line[2], line[3]);
      }
    }
    // Light on dark, so that it shows on any ground.
    for (const [style, width] of [["#10131a", 0.26], ["#7df9ff", 0.12]]) {
      context.strokeStyle = style;
      context.lineWidth = Math.max(1.5, width * cell);
      context.lineCap = "square";
      context.stroke(lines);
    }
  }

  tell() {
    const { map } = this;
    const figures = [
      ["Patient", map.patient || "not in the names"],
      ["Patches", `${map.patches.length}`],
      [map.word, `${map.positive_patches} patches, ${(100 * map.area_fraction).toFixed(1)} % of the area`],
      ["Mean probability", short(map.patient_score)],
      ["Operating point", short(map.operating_point)],
    ];
    by("slide-figures").replaceChildren(...describe(figures));
    by("slide-lines-text").textContent = `Outline of ${map.word} at the operating point`;
    by("slide-mark").style.left = `${100 * map.operating_point}%`;
    const legend = by("slide-legend").getContext("2d");
    for (let at = 0; at < 256; at += 1) {
      legend.fillStyle = `rgb(${colour(at / 255).join(" ")})`;
      legend.fillRect(at, 0, 1, 1);
    }
    const left = by("slide-left-out");
    left.hidden = map.left_out.length === 0;
    left.querySelector("summary").textContent = `${map.left_out.length} files are not on the map`;
    left.querySelector("ul").replaceChildren(
      ...map.left_out.slice(0, 200).map(({ name, error }) => {
        const item = document.createElement("li");
        item.textContent = `${name}: ${error}`;
        return item;
      }),
    );
  }

  point(event) {
    const box = by("slide-frame").getBoundingClientRect();
    this.read(
      Math.floor(((event.clientX - box.left) / box.width) * this.columns),
      Math.floor(((event.clientY - box.top) / box.height) * this.rows),
    );
  }

  step(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in move) || !this.map) return;
    event.preventDefault();
    const [right, down] = move[event.key];
    let { column, row } = this.here ?? { column: -right, row: -down };
    // Over gaps to the next patch in that direction.
    do {
      column += right;
      row += down;
      if (column < 0 || row < 0 || column >= this.columns || row >= this.rows) return;
    } while (!this.places.has(`${column},${row}`));
    this.read(column, row);
  }

  read(column, row) {
    const patch = this.places.get(`${column},${row}`);
    if (!patch || patch === this.here) return;
    this.here = patch;
    const side = patch.positive ? "at or above" : "below";
    by("slide-patch").textContent =
      `x ${patch.x}, y ${patch.y}: probability of ${this.map.word} ${short(patch.probability)}, ` +
      `${side} the operating point`;
  }

  setOpacity() {
    by("slide-heat").style.opacity = by("slide-opacity").value / 100;
  }

  download() {
    const head = ["patient", "x", "y", `probability of ${this.map.word}`, "positive"];
    head.push("operating point", "run", "notice");
    const rows = this.map.patches.map((patch) => [
      this.map.patient, patch.x, patch.y, patch.probability, patch.positive,
      this.map.operating_point, this.facts.run, this.facts.notice,
    ]);
    download("cancernet-slide.csv", [head, ...rows]);
  }

  clear() {
    this.map = null;
    by("slide").hidden = true;
    this.say("", true);
    by("images-heading").focus();
  }
}

/** Pairs as the terms of a description list. */
export function describe(pairs) {
  return pairs.flatMap(([term, text]) => {
    const name = document.createElement("dt");
    const value = document.createElement("dd");
    name.textContent = term;
    value.textContent = text;
    return [name, value];
  });
}
