// One image: preview, class, probability beside the operating point, heat map.

import { Problem, asSentence, formOf, post } from "./api.js";
import { NAMED_LIKE_MASK, UNLIKE, beside, callOf, drawHeat, drawLegend, judged, mostProbable, pointName } from "./scale.js";

const TALLEST = 1.3; // height by width; taller previews are made narrower

export class Card {
  constructor(file, facts, { thresholds, enlarge }) {
    this.file = file;
    this.facts = facts;
    this.thresholds = thresholds;
    this.result = null; // what the server answered
    this.held = null; // the same at the threshold that is chosen now
    this.problem = "";
    this.abort = new AbortController();
    const template = document.getElementById("card");
    this.element = template.content.firstElementChild.cloneNode(true);
    this.find(".name").textContent = file.name;
    this.find(".word").classList.add("waiting");
    this.find(".heat").addEventListener("click", () => this.toggleHeat());
    this.find(".enlarge").addEventListener("click", () => enlarge(this));
    this.find(".enlarge").setAttribute("aria-label", `Enlarge ${file.name}`);
    drawLegend(this.find(".legend canvas"));
    this.find(".opacity input").addEventListener("input", () => this.setOpacity());
    this.showPreview();
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  showPreview() {
    const image = this.find("img");
    this.url = URL.createObjectURL(this.file);
    image.alt = `Preview of ${this.file.name}`;
    image.loading = "lazy";
    image.addEventListener("load", () => {
      const aspect = image.naturalHeight / image.naturalWidth;
      image.classList.toggle("small", image.naturalWidth < 200);
      if (aspect > TALLEST) this.find(".picture").style.width = `${(100 * TALLEST) / aspect}%`;
    });
    image.addEventListener("error", () => {
      if (image.src !== this.url) return;
      this.unseen = true;
      if (this.problem) return;
      this.hidePreview("Browsers cannot show this kind of image.");
      this.askForPreview();
    });
    image.src = this.url;
  }

  hidePreview(reason) {
    this.find("img").hidden = this.find(".enlarge").disabled = true;
    this.find(".no-preview").textContent = reason;
    this.find(".no-preview").hidden = false;
  }

  /** Lets the server show what the browser cannot (TIFF), once it is known to be an image. */
  async askForPreview() {
    if (!this.unseen || !this.result) return;
    this.unseen = false;
    try {
      const { preview } = await post("/preview", formOf("image", [this.file]), this.abort.signal);
      const image = this.find("img");
      image.src = `data:image/png;base64,${preview}`;
      image.hidden = this.find(".enlarge").disabled = false;
      this.find(".no-preview").hidden = true;
    } catch {
      // The line that says so remains.
    }
  }

  get canEnlarge() {
    return !this.find(".enlarge").disabled;
  }

  /** Why the file is too large to send, or false. */
  get tooLarge() {
    const limit = this.facts.limits.image_bytes;
    return this.file.size > limit && `The file is larger than the limit of ${limit / 2 ** 20} MiB.`;
  }

  /** Takes the server's answer: a prediction, or why there is none. */
  take(outcome) {
    if ("error" in outcome) {
      this.fail(asSentence(outcome.error));
      this.hidePreview("No preview.");
    } else {
      this.result = outcome;
      this.showResult();
      this.askForPreview();
    }
  }

  /** Says in the card what went wrong. */
  fail(sentence) {
    this.problem = sentence;
    this.element.classList.add("failed");
    this.find(".word").textContent = "Not scored";
    this.find(".problem").hidden = false;
    this.find(".problem").textContent = sentence;
  }

  /** Shows the result at the threshold that is chosen now. */
  showResult() {
    if (!this.result) return;
    this.held = this.thresholds.hold(this.result);
    const result = this.held;
    const positive = this.facts.classes.filter((c) => c.positive).map((c) => c.word).join(" or ");
    const word = this.find(".word");
    word.textContent = callOf(result, this.facts.classes);
    word.className = `word ${result.positive ? "positive" : "negative"}`;
    const gauge = this.find(".gauge");
    gauge.hidden = false;
    gauge.classList.toggle("positive", result.positive);
    const side = result.positive ? "at or above" : "below";
    const [value, mark] = beside(result.positive_probability, result.operating_point);
    const figure = `Probability of ${positive}: ${value}`;
    const point = `${side} ${pointName(result.isOwn)} ${mark}`;
    gauge.setAttribute("aria-label", `${figure}, ${point}`);
    this.find(".fill").style.width = `${100 * result.positive_probability}%`;
    this.find(".mark").style.left = `${100 * Math.min(1, Math.max(0, result.operating_point))}%`;
    this.find(".mark-label").textContent = `▏${point}`;
    this.find(".figure").hidden = false;
    this.find(".figure").textContent = figure;
    this.find(".most").hidden = this.facts.classes.length === 2;
    this.find(".most").textContent = asSentence(mostProbable(result, this.facts.classes));
    this.find(".judged").hidden = !this.facts.context;
    const alone = result.alone_probabilities?.[this.facts.classes.find((c) => c.positive).name];
    this.find(".judged").textContent = asSentence(judged(result.neighbours, alone));
    this.find(".unlike").hidden = !result.unlike_training;
    this.find(".unlike").textContent = UNLIKE;
    this.find(".mask").hidden = !result.named_like_mask;
    this.find(".mask").textContent = NAMED_LIKE_MASK;
    this.find(".heat-tools").hidden = false;
    this.find(".heat").setAttribute("aria-label", `Show heat map of ${this.file.name}`);
  }

  async toggleHeat() {
    const canvas = this.find("canvas");
    if (!this.heat && !(await this.loadHeat())) return;
    if (this.heat.zero) return;
    canvas.hidden = !canvas.hidden;
    this.find(".opacity").hidden = this.find(".legend").hidden = canvas.hidden;
    this.nameHeatButton(canvas.hidden ? "Show heat map" : "Hide heat map");
    this.setOpacity();
  }

  async loadHeat() {
    const button = this.find(".heat");
    const note = this.find(".heat-note");
    button.disabled = true;
    note.classList.remove("problem");
    note.textContent = "Making the heat map; the first one takes some seconds.";
    try {
      const form = formOf("image_", [this.file]);
      this.heat = await post("/generate_heatmap", form, this.abort.signal);
      await drawHeat(this.find("canvas"), this.heat.heatmap);
      const word = this.facts.classes.find((c) => c.name === this.heat.explained)?.word;
      this.find(".legend-most").textContent = `most for ${word}`;
      note.textContent = this.heat.zero
        ? `Nothing in the image supports ${word}, by ${this.heat.method}.`
        : `Bright areas support ${word} (${this.heat.method}). They show where the network ` +
          "looks, not where disease is." +
          (this.result.neighbours === undefined ? "" : " The map is of the patch alone.");
      button.disabled = this.heat.zero;
      return true;
    } catch (error) {
      this.heat = null;
      button.disabled = false;
      if (error.name === "AbortError") return false;
      note.classList.add("problem");
      note.textContent = error instanceof Problem ? error.message : "The heat map cannot be shown.";
      return false;
    }
  }

  nameHeatButton(text) {
    const button = this.find(".heat");
    button.textContent = text;
    button.setAttribute("aria-label", `${text} of ${this.file.name}`);
  }

  setOpacity() {
    this.find("canvas").style.opacity = this.find(".opacity input").value / 100;
  }

  remove() {
    this.abort.abort();
    URL.revokeObjectURL(this.url);
    this.element.remove();
  }
}
