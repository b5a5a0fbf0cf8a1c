// The map of one slide: its figures, what a patch is, and what the reader does with it.

import { Problem, formOf, post } from "./api.js";
import { UNLIKE, counted, drawLegend, judged, listed, pointName, rounded, short } from "./scale.js";
import { SlideCanvas } from "./slide_canvas.js";
import { download, save } from "./table.js";
import { Zoom } from "./zoom.js";

const by = (id) => document.getElementById(id);

export class Slide {
  constructor(facts, thresholds, say) {
    this.facts = facts;
    this.thresholds = thresholds;
    this.say = say;
    this.map = null;
    this.zoom = new Zoom(by("slide-frame"), by("slide-view"));
    by("slide-frame").addEventListener("pointermove", (event) => {
      this.read(this.canvas.under(event));
    });
    by("slide-frame").addEventListener("keydown", (event) => this.step(event));
    by("slide-opacity").addEventListener("input", () => this.setOpacity());
    by("slide-lines").addEventListener("change", () => {
      by("slide-outline").hidden = !by("slide-lines").checked;
    });
    by("slide-ways").addEventListener("change", () => this.draw());
    by("slide-closer").addEventListener("click", () => this.zoom.closer());
    by("slide-farther").addEventListener("click", () => this.zoom.farther());
    by("slide-whole").addEventListener("click", () => this.zoom.reset());
    by("slide-csv").addEventListener("click", () => this.download());
    by("slide-geojson").addEventListener("click", () => this.downloadOutline());
    by("slide-clear").addEventListener("click", () => this.clear());
    drawLegend(by("slide-legend"));
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
    this.say(`Scoring ${counted(patches.length, "patch", "patches")} …`, {});
    this.map = await post("/slide", formOf("patches", patches));
    by("slide").hidden = false;
    this.canvas = new SlideCanvas(this.map);
    this.zoom.reset();
    this.here = null;
    by("slide-here").hidden = true;
    this.thresholds.show();
    by("slide-ways").hidden = !this.map.alone;
    by("slide-in-context").checked = true;
    this.draw();
    this.setOpacity();
    await this.canvas.drawTissue(patches);
    this.say(`Slide map of ${counted(this.map.patches.length, "patch", "patches")}.`);
  }

  /** Draws the map and its figures, in context or alone as the person chose. */
  draw() {
    if (!this.map) return;
    this.tell();
    this.canvas.drawHeat((patch) => this.probability(patch));
    if (this.isMoved) this.canvas.drawSides(this.positive);
    else this.canvas.drawOutline(this.shown.geojson);
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

  /** Whether a patch is judged with its neighbours on the map that is shown. */
  inContext(patch) {
    return !this.isAlone && patch.neighbours !== undefined;
  }

  /** The threshold that a patch is held to; alone it is another than in context. */
  pointOf(patch) {
    return this.thresholds.of(this.inContext(patch));
  }

  /** Whether the reader moved a threshold that a patch of the map is held to. */
  get isMoved() {
    return this.map.patches.some((patch) => this.pointOf(patch).isOwn);
  }

  /** The patches that reach their threshold. */
  get positive() {
    return this.map.patches.filter((patch) => this.probability(patch) >= this.pointOf(patch).value);
  }

  /** How many patches and how much of the area are positive. */
  get extent() {
    const { shown } = this;
    if (!this.isMoved) return [shown.positive_patches, shown.area_fraction];
    const area = (patches) => patches.reduce((sum, { width, height }) => sum + width * height, 0);
    const { positive } = this;
    return [positive.length, area(positive) / area(this.map.patches)];
  }

  tell() {
    const { map, shown } = this;
    const [positive, share] = this.extent;
    const point = this.thresholds.of(Boolean(map.alone) && !this.isAlone);
    const figures = [
      ["Patient", map.patient],
      ["Patches", `${map.patches.length}`],
      [map.word, `${counted(positive, "patch", "patches")}, ${rounded(100 * share, 1)}\u00a0% of the area`],
      ["Mean probability", short(shown.score)],
      [point.isOwn ? "Your threshold" : "Operating point", short(point.value)],
    ];
    const lone = map.patches.filter((patch) => patch.neighbours === undefined).length;
    if (map.alone && !this.isAlone) {
      const found = map.patches.reduce((sum, { neighbours }) => sum + (neighbours ?? 0), 0);
      const mean = (found / map.patches.length).toFixed(1);
      figures.push(["Judged with", `${mean} of 8 neighbours on average`]);
    }
    if (map.alone && !this.isAlone && lone) {
      figures.push(["Without neighbours", `${counted(lone, "patch", "patches")}, judged alone`]);
    }
    if (map.unlike_training) {
      const crossed = `${counted(map.unlike_training, "patch", "patches")}, crossed`;
      figures.push(["Unlike the training images", crossed]);
    }
    by("slide-figures").replaceChildren(...describe(figures));
    by("slide-lines-text").textContent = `Outline of ${map.word} at ${pointName(this.isMoved)}`;
    by("slide-geojson").textContent =
      `Download outline${this.isMoved ? " at the stored point" : ""} (GeoJSON)`;
    by("slide-mark").style.left = `${100 * point.value}%`;
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
      if (!this.canvas.has(column, row)) return;
    } while (!this.canvas.at(column, row));
    const patch = this.canvas.at(column, row);
    this.read(patch);
    this.zoom.reveal(...this.canvas.shares(patch));
  }

  /** Frames a patch and says what it is. */
  read(patch) {
    if (!patch || patch === this.here) return;
    this.here = patch;
    const [left, top, right, bottom] = this.canvas.shares(patch).map((share) => 100 * share);
    Object.assign(by("slide-here").style, {
      left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
    });
    by("slide-here").hidden = false;
    const [probability, { value, isOwn }] = [this.probability(patch), this.pointOf(patch)];
    const side = probability >= value ? "at or above" : "below";
    const among = this.isAlone ? "judged alone" : judged(patch.neighbours, patch.alone_probability);
    const how = this.map.alone ? `; ${among}` : "";
    by("slide-patch").textContent =
      `x ${patch.x}, y ${patch.y}: probability of ${this.map.word} ${short(probability)}, ` +
      `${side} ${pointName(isOwn)}${how}` +
      (patch.unlike_training ? `. ${UNLIKE}` : "");
  }

  setOpacity() {
    by("slide-heat").style.opacity = by("slide-opacity").value / 100;
  }

  /** Writes the map in context and, beside it, each patch alone. */
  download() {
    const { map, facts } = this;
    const head = ["patient", "x", "y", "width", "height", `probability of ${map.word}`, "positive"];
    if (map.alone) head.push(`probability of ${map.word} alone`, "neighbours");
    head.push("operating point", "unlike the training images");
    const moved = this.thresholds.areOwn;
    if (moved) head.push("your threshold", "positive at your threshold");
    head.push("run", "notice");
    const rows = map.patches.map((patch) => {
      const alone = map.alone ? [aloneOf(patch), patch.neighbours ?? 0] : [];
      const lone = map.alone && patch.neighbours === undefined;
      const { value } = this.thresholds.of(patch.neighbours !== undefined);
      return [
        map.patient, patch.x, patch.y, patch.width, patch.height, patch.probability, patch.positive,
        ...alone, (lone ? map.alone : map).operating_point, patch.unlike_training,
        ...(moved ? [value, patch.probability >= value] : []),
        facts.run, facts.notice,
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
    this.say("");
    by("images-heading").focus();
  }
}

/** A patch's probability without its neighbours. */
function aloneOf(patch) {
  return patch.alone_probability ?? patch.probability;
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
