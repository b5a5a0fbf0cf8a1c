// The map of one slide: tissue, probability above it, outline at the operating point.

import { Problem, formOf, post } from "./api.js";
import { colour, counted, judged, listed, short } from "./scale.js";
import { download, save } from "./table.js";

const WIDEST = 1800; // pixels of the canvas

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
    by("slide-ways").addEventListener("change", () => this.draw());
    by("slide-csv").addEventListener("click", () => this.download());
    by("slide-geojson").addEventListener("click", () => this.downloadOutline());
    by("slide-clear").addEventListener("click", () => this.clear());
  }

  /** Sends a folder's images; rejects with a Problem. */
  async show(files) {
    const { limits } = this.facts;
    const patches = files.filter(({ name }) => {
      return !name.startsWith(".") && limits.suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));
    });
    const size = patches.reduce((sum, file) => sum + file.size, 0);
    if (!patches.length) throw new Problem(`The folder holds no ${listed(limits.formats)} image.`);
    if (patches.length > limits.images) {
      throw new Problem(`The folder holds ${patches.length} images; the limit is ${limits.images}.`);
    }
    if (size > limits.request_bytes) {
      throw new Problem(`The folder is larger than the limit of ${limits.request_bytes / 2 ** 20} MiB.`);
    }
    this.say(`Scoring ${counted(patches.length, "patch", "patches")} …`);
    this.map = await post("/slide", formOf("patches", patches));
    this.place(this.map);
    by("slide").hidden = false;
    by("slide-ways").hidden = !this.map.alone;
    by("slide-in-context").checked = true;
    this.draw();
    this.setOpacity();
    await this.drawTissue(patches);
    this.say(`Slide map of ${counted(this.map.patches.length, "patch", "patches")}.`, true);
  }

  /** Draws the map and its figures, in context or alone as the person chose. */
  draw() {
    this.tell();
    this.drawHeat();
    this.drawOutline();
    const { here } = this;
    this.here = null;
    this.read(here);
  }

  /** Whether the person looks at the map of patches alone although there is one in context. */
  get isAlone() {
    return Boolean(this.map.alone) && by("slide-alone").checked;
  }

  /** The figures and the outline of the map that is shown. */
  get shown() {
    return this.isAlone ? this.map.alone : this.map;
  }

  /** A patch's probability on the map that is shown. */
  probability(patch) {
    return this.isAlone ? aloneOf(patch) : patch.probability;
  }

  place(map) {
    this.margin = 0.1 * map.step; // room for the outline around patches at the edge
    const [width, height] = [map.width + 2 * this.margin, map.height + 2 * this.margin];
    this.scale = Math.min(1, WIDEST / width, WIDEST / height);
    this.places = new Map();
    for (const patch of map.patches) {
      patch.column = Math.round((patch.x - map.left) / map.step);
      patch.row = Math.round((patch.y - map.top) / map.step);
      this.places.set(`${patch.column},${patch.row}`, patch);
    }
    this.columns = Math.max(...map.patches.map((patch) => patch.column)) + 1;
    this.rows = Math.max(...map.patches.map((patch) => patch.row)) + 1;
    for (const id of ["slide-tissue", "slide-heat", "slide-outline"]) {
      by(id).width = Math.ceil(width * this.scale);
      by(id).height = Math.ceil(height * this.scale);
    }
    // Neither taller than the window nor larger than the slide itself.
    const widest = Math.min(width, (window.innerHeight * 0.8 * width) / height);
    by("slide-frame").style.width = `${widest}px`;
    by("slide-frame").style.aspectRatio = `${width} / ${height}`;
    this.here = null;
  }

  /** Where the canvas begins on the slide. */
  corner() {
    return [this.map.left - this.margin, this.map.top - this.margin];
  }

  /** A patch's left, top, width and height on the canvas. */
  box({ x, y, width, height }) {
    const [left, top] = this.corner();
    return [x - left, y - top, width, height].map((length) => length * this.scale);
  }

  async drawTissue(files) {
    const context = by("slide-tissue").getContext("2d");
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

  drawHeat() {
    const context = cleared("slide-heat");
    for (const patch of this.map.patches) {
      context.fillStyle = `rgb(${colour(this.probability(patch)).join(" ")})`;
      context.fillRect(...this.box(patch));
    }
  }

  drawOutline() {
    const context = cleared("slide-outline");
    const [left, top] = this.corner();
    const lines = new Path2D();
    for (const { geometry } of this.shown.geojson.features) {
      for (const ring of geometry.coordinates) {
        ring.forEach(([x, y], index) => {
          const place = [(x - left) * this.scale, (y - top) * this.scale];
          if (index) lines.lineTo(...place);
          else lines.moveTo(...place);
        });
        lines.closePath();
      }
    }
    // Light on dark, so that it shows on any ground.
    for (const [style, width] of [["#10131a", 0.13], ["#7df9ff", 0.06]]) {
      context.strokeStyle = style;
      context.lineWidth = Math.max(1.5, width * this.map.step * this.scale);
      context.lineJoin = "miter";
      context.stroke(lines);
    }
  }

  tell() {
    const { map, shown } = this;
    const positive = counted(shown.positive_patches, "patch", "patches");
    const figures = [
      ["Patient", map.patient],
      ["Patches", `${map.patches.length}`],
      [map.word, `${positive}, ${(100 * shown.area_fraction).toFixed(1)}\u00a0% of the area`],
      ["Mean probability", short(shown.score)],
      ["Operating point", short(shown.operating_point)],
    ];
    const lone = map.patches.filter((patch) => patch.neighbours === undefined).length;
    if (map.alone && !this.isAlone && lone) {
      figures.push(["Without neighbours", `${counted(lone, "patch", "patches")}, judged alone`]);
    }
    if (map.unlike_training) {
      figures.push(["Unlike the training images", counted(map.unlike_training, "patch", "patches")]);
    }
    by("slide-figures").replaceChildren(...describe(figures));
    by("slide-lines-text").textContent = `Outline of ${map.word} at the operating point`;
    by("slide-mark").style.left = `${100 * shown.operating_point}%`;
    const legend = by("slide-legend").getContext("2d");
    for (let at = 0; at < 256; at += 1) {
      legend.fillStyle = `rgb(${colour(at / 255).join(" ")})`;
      legend.fillRect(at, 0, 1, 1);
    }
    const left = by("slide-left-out");
    left.hidden = map.left_out.length === 0;
    left.querySelector("summary").textContent = `${counted(map.left_out.length, "file is", "files are")} not on the map`;
    left.querySelector("ul").replaceChildren(
      ...map.left_out.slice(0, 200).map(({ name, error }) => {
        const item = document.createElement("li");
        item.textContent = `${name}: ${error}`;
        return item;
      }),
    );
  }

  point(event) {
    const frame = by("slide-frame").getBoundingClientRect();
    const [left, top] = this.corner();
    const unit = by("slide-heat").width / this.scale / frame.width; // pixels of the slide to one shown
    const [x, y] = [left + (event.clientX - frame.left) * unit, top + (event.clientY - frame.top) * unit];
    this.read(
      this.map.patches.find(
        (p) => p.x <= x && x < p.x + p.width && p.y <= y && y < p.y + p.height,
      ),
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
    this.read(this.places.get(`${column},${row}`));
  }

  read(patch) {
    if (!patch || patch === this.here) return;
    this.here = patch;
    const [probability, point] = [this.probability(patch), this.pointOf(patch)];
    const side = probability >= point ? "at or above" : "below";
    const among = this.isAlone ? "judged alone" : judged(patch.neighbours, patch.alone_probability);
    const how = this.map.alone ? `; ${among}` : "";
    by("slide-patch").textContent =
      `x ${patch.x}, y ${patch.y}: probability of ${this.map.word} ${short(probability)}, ` +
      `${side} the operating point${how}`;
  }

  /** The operating point that a patch is held to; alone it is another than in context. */
  pointOf(patch) {
    const alone = this.map.alone && (this.isAlone || patch.neighbours === undefined);
    return (alone ? this.map.alone : this.map).operating_point;
  }

  setOpacity() {
    by("slide-heat").style.opacity = by("slide-opacity").value / 100;
  }

  /** Writes the map in context and, beside it, each patch alone. */
  download() {
    const { map, facts } = this;
    const head = ["patient", "x", "y", "width", "height", `probability of ${map.word}`, "positive"];
    if (map.alone) head.push(`probability of ${map.word} alone`, "neighbours");
    head.push("operating point", "run", "notice");
    const rows = map.patches.map((patch) => {
      const alone = map.alone ? [aloneOf(patch), patch.neighbours ?? 0] : [];
      const lone = map.alone && patch.neighbours === undefined;
      return [
        map.patient, patch.x, patch.y, patch.width, patch.height, patch.probability, patch.positive,
        ...alone, (lone ? map.alone : map).operating_point, facts.run, facts.notice,
      ];
    });
    download(`cancernet-${map.patient}.csv`, [head, ...rows]);
  }

  downloadOutline() {
    const name = `cancernet-${this.map.patient}${this.isAlone ? "-alone" : ""}.geojson`;
    save(name, "application/geo+json", [JSON.stringify(this.shown.geojson)]);
  }

  clear() {
    this.map = null;
    by("slide").hidden = true;
    this.say("", true);
    by("images-heading").focus();
  }
}

/** A patch's probability without its neighbours. */
function aloneOf(patch) {
  return patch.alone_probability ?? patch.probability;
}

/** An empty canvas to draw on. */
function cleared(id) {
  const context = by(id).getContext("2d");
  context.clearRect(0, 0, by(id).width, by(id).height);
  return context;
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
