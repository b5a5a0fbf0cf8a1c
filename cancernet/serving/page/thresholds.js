// The reader's own thresholds. They change what the page shows; nothing stores them.

import { counted, short } from "./scale.js";

/** The thresholds of images alone and, where the run judges so, of patches in context. */
export class Thresholds {
  /** `changed` is called when the reader has moved one. */
  constructor(facts, changed) {
    this.classes = facts.classes;
    const { context } = facts;
    this.alone = new Threshold(facts, context ? "Threshold of images alone" : "Threshold", changed);
    this.inContext = context && new Threshold(context, "Threshold of patches in context", changed);
    this.all = [this.inContext, this.alone].filter((each) => each);
    document.getElementById("thresholds").append(...this.all.map((each) => each.element));
  }

  /** Shows them, where it is known what validation gives at each. */
  show() {
    document.getElementById("thresholds").hidden = !this.all.every((each) => each.table);
  }

  /** Whether one of them is the reader's own. */
  get areOwn() {
    return this.all.some((each) => each.isOwn);
  }

  /** The threshold of patches in context, or of images alone. */
  of(inContext) {
    return inContext ? this.inContext : this.alone;
  }

  /** An image's result at its threshold: as the server gave it, unless the reader moved that. */
  hold(result) {
    const { isOwn, value } = this.of(result.neighbours !== undefined);
    if (!isOwn) return result;
    const positive = result.positive_probability >= value;
    const held = { ...result, positive, operating_point: value, isOwn };
    if (this.classes.length > 2) return { ...held, call: positive ? "positive" : "negative" };
    const { name, word } = this.classes.find((each) => each.positive === positive);
    return { ...held, label: name, call: name, word, probability: result.probabilities[name] };
  }
}

/** One slider over the thresholds of a table, the stored operating point among them. */
class Threshold {
  constructor({ operating_point, thresholds }, title, changed) {
    this.stored = this.value = operating_point;
    this.table = thresholds;
    this.element = document.getElementById("threshold").content.firstElementChild.cloneNode(true);
    if (!thresholds) return;
    this.find(".title").textContent = title;
    this.slider.max = thresholds.threshold.length - 1;
    const home = thresholds.threshold.indexOf(operating_point);
    this.find(".stored").style.setProperty("--at", home / this.slider.max);
    this.find(".stored").textContent = `stored: ${short(operating_point)}`;
    const take = (place) => {
      this.slider.value = place;
      this.value = thresholds.threshold[place];
      this.tell(place);
      changed();
    };
    this.slider.addEventListener("input", () => take(Number(this.slider.value)));
    this.find("button").addEventListener("click", () => {
      take(home);
      this.slider.focus();
    });
    this.slider.value = home;
    this.tell(home);
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  get slider() {
    return this.find("input");
  }

  get isOwn() {
    return this.value !== this.stored;
  }

  tell(place) {
    const { sensitivity, specificity, images, patients } = this.table;
    const named = this.isOwn ? "Your threshold, not stored" : "The stored operating point";
    const shown = (value) => (value === null ? "not defined" : short(value));
    const figures =
      `sensitivity ${shown(sensitivity[place])}, specificity ${shown(specificity[place])} ` +
      `on validation (${counted(images, "image", "images")} of ` +
      `${counted(patients, "patient", "patients")})`;
    this.slider.setAttribute("aria-valuetext", `${short(this.value)}; ${named}; ${figures}`);
    this.find(".value").textContent = short(this.value);
    this.find(".named").textContent = named;
    this.find(".figures").textContent = figures;
    this.element.classList.toggle("own", this.isOwn);
    this.find("button").hidden = !this.isOwn;
  }
}
