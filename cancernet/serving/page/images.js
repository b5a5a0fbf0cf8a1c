// Many images: their cards, the requests that score them, the table, the CSV.

import { Problem, formOf, post } from "./api.js";
import { Card } from "./card.js";
import { Enlarged } from "./enlarged.js";
import { Gallery } from "./gallery.js";
import { beside, callOf, counted } from "./scale.js";
import { download } from "./table.js";

const BATCH = 8; // images of one request
const BATCH_BYTES = 2 ** 22;
// The name of a patch that tells its place, as cancernet/catalog/histology.py reads it.
const PLACED = /^(.+?)_idx\d+_x\d{1,9}_y\d{1,9}(?:_class[^_]+)?\.[^.]+$/i;
const ROOM = 0.9; // of the server's limits: a form is a little larger than its files

const by = (id) => document.getElementById(id);

export class Images {
  constructor(facts, thresholds, say) {
    this.facts = facts;
    this.thresholds = thresholds;
    this.say = say;
    this.cards = [];
    this.gallery = new Gallery();
    this.enlarged = new Enlarged(() => this.gallery.shown);
    this.done = 0;
    this.abort = new AbortController();
    by("csv").addEventListener("click", () => this.download());
    by("clear").addEventListener("click", () => this.clear());
  }

  async add(files) {
    const { thresholds } = this;
    const enlarge = (card) => this.enlarged.show(card);
    const fresh = files.map((file) => new Card(file, this.facts, { thresholds, enlarge }));
    this.cards.push(...fresh);
    for (const card of fresh) {
      card.row = document.createElement("tr");
      this.fill(card);
    }
    this.thresholds.show();
    this.report();
    await Promise.all(this.requests(fresh).map((group) => this.score(group)));
  }

  /** Cuts the cards into requests: where neighbours count, a patient's patches together. */
  requests(cards) {
    const { context, limits } = this.facts;
    const patientOf = ({ file }) => (context ? file.name.match(PLACED)?.[1] : undefined);
    const patients = new Map();
    for (const card of cards) {
      const patient = patientOf(card);
      if (!patients.has(patient)) patients.set(patient, []);
      patients.get(patient).push(card);
    }
    const [most, bytes] = [limits.images, ROOM * limits.request_bytes];
    return [...patients].flatMap(([patient, own]) =>
      patient === undefined ? groups(own, BATCH, BATCH_BYTES) : groups(own, most, bytes),
    );
  }

  /** Asks the server; never rejects: the cards show what went wrong. */
  async score(group) {
    const sent = group.filter((card) => !card.tooLarge);
    for (const card of group) if (card.tooLarge) card.fail(card.tooLarge);
    try {
      if (sent.length) {
        const form = formOf("images", sent.map((card) => card.file));
        const { results } = await post("/predict/batch", form, this.abort.signal);
        sent.forEach((card, index) => card.take(results[index]));
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      const sentence = error instanceof Problem ? error.message : "The page failed on this image.";
      for (const card of sent) card.fail(sentence);
    }
    this.done += group.length;
    for (const card of group) this.fill(card);
    this.report();
  }

  fill(card) {
    const { held: result, problem, row } = card;
    row.replaceChildren();
    const cells = result
      ? [
          callOf(result, this.facts.classes) +
            (result.isOwn ? " (at your threshold)" : "") +
            (result.unlike_training ? " (unlike the training images)" : "") +
            (result.named_like_mask ? " (named like a mask)" : ""),
          ...beside(result.positive_probability, result.operating_point),
          ...(this.facts.context ? [`${result.neighbours ?? "alone"}`] : []),
        ]
      : [problem ? `Not scored: ${problem}` : "waiting …"];
    [card.file.name, ...cells].forEach((text, column) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (column === 1 && !result) cell.colSpan = this.facts.context ? 4 : 3; // a sentence needs the room
      if (column > 1) cell.className = "number";
      if (column === 1 && problem) cell.classList.add("problem");
      row.append(cell);
    });
  }

  /** Judges all images again: the reader moved a threshold. */
  judge() {
    for (const card of this.cards) {
      card.showResult();
      this.fill(card);
    }
    this.gallery.draw(this.cards);
  }

  report() {
    this.gallery.draw(this.cards);
    const none = this.cards.length === 0;
    by("empty").hidden = !none;
    by("image-tools").hidden = by("gallery-tools").hidden = by("table-box").hidden = none;
    if (none) {
      this.say("");
      return;
    }
    const failed = this.cards.filter((card) => card.problem).length;
    const ended = this.done === this.cards.length;
    const bad = failed ? `; ${failed} could not be scored` : "";
    this.say(
      ended
        ? `${this.done - failed} of ${counted(this.cards.length, "image", "images")} scored${bad}.`
        : `Scoring: ${this.done} of ${this.cards.length}${bad} …`,
      ended ? undefined : { done: this.done, of: this.cards.length },
    );
  }

  download() {
    const head = ["image", "class", "class in words"];
    head.push(...this.facts.classes.map((c) => `probability of ${c.word}`));
    head.push("positive", "operating point", "call");
    const alone = this.facts.context ? this.facts.classes : [];
    if (this.facts.context) head.push("neighbours");
    head.push(...alone.map((c) => `probability of ${c.word} alone`));
    const moved = this.thresholds.areOwn;
    head.push("unlike the training images", "named like a mask");
    if (moved) head.push("your threshold", "positive at your threshold");
    head.push("problem", "run", "notice");
    const rows = this.cards.map(({ file, result, held, problem }) => [
      file.name,
      result?.label,
      result?.word,
      ...this.facts.classes.map((c) => result?.probabilities[c.name]),
      result?.positive,
      result?.operating_point,
      result?.call,
      ...(this.facts.context ? [result?.neighbours] : []),
      ...alone.map((c) => (result?.alone_probabilities ?? result?.probabilities)?.[c.name]),
      result?.unlike_training,
      result?.named_like_mask,
      ...(moved ? [held?.operating_point, held?.positive] : []),
      problem,
      this.facts.run,
      this.facts.notice,
    ]);
    download("cancernet-images.csv", [head, ...rows]);
  }

  clear() {
    this.abort.abort();
    this.abort = new AbortController();
    for (const card of this.cards) card.remove();
    this.cards = [];
    this.done = 0;
    this.report();
    by("images-heading").focus();
  }
}

/** Cuts cards into groups of at most so many and so many bytes; larger images alone. */
function groups(cards, most, bytes) {
  const cut = [];
  let size = Infinity;
  for (const card of cards) {
    if (size + card.file.size > bytes || cut.at(-1).length === most) {
      cut.push([]);
      size = 0;
    }
    cut.at(-1).push(card);
    size += card.file.size;
  }
  return cut;
}
