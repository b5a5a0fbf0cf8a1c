// Many images: their cards, the table, the CSV.

import { Card } from "./card.js";
import { short } from "./scale.js";
import { download } from "./table.js";

const AT_FIRST = 60; // cards shown before "show more"

const by = (id) => document.getElementById(id);

export class Images {
  constructor(facts, say) {
    this.facts = facts;
    this.say = say;
    this.cards = [];
    this.shown = AT_FIRST;
    this.done = 0;
    by("csv").addEventListener("click", () => this.download());
    by("clear").addEventListener("click", () => this.clear());
    by("more").addEventListener("click", () => {
      this.shown += AT_FIRST;
      this.draw();
    });
  }

  async add(files) {
    const fresh = files.map((file) => new Card(file, this.facts));
    this.cards.push(...fresh);
    this.draw();
    this.report();
    await Promise.all(fresh.map((card) => this.score(card)));
  }

  async score(card) {
    await card.score();
    if (!this.cards.includes(card)) return; // removed meanwhile
    this.done += 1;
    by("rows").append(this.row(card));
    this.report();
  }

  row(card) {
    const row = document.createElement("tr");
    const { result } = card;
    const cells = result
      ? [result.word, short(result.positive_probability), short(result.operating_point)]
      : [`not scored: ${card.problem}`, "", ""];
    [card.file.name, ...cells].forEach((text, column) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (column > 1) cell.className = "number";
      if (column === 1 && !result) cell.classList.add("problem");
      row.append(cell);
    });
    return row;
  }

  draw() {
    const missing = this.cards.slice(0, this.shown).filter((card) => !card.element.isConnected);
    by("cards").append(...missing.map((card) => card.element));
    const rest = this.cards.length - this.shown;
    by("more").hidden = rest <= 0;
    by("more").textContent = `Show ${Math.min(rest, AT_FIRST)} more of ${rest}`;
    by("empty").hidden = this.cards.length > 0;
    by("image-tools").hidden = by("table-box").hidden = this.cards.length === 0;
  }

  report() {
    const failed = this.cards.filter((card) => card.problem).length;
    const ended = this.done === this.cards.length;
    const bad = failed ? `; ${failed} could not be scored` : "";
    this.say(
      ended
        ? `${this.done - failed} of ${this.cards.length} images scored${bad}.`
        : `Scoring: ${this.done} of ${this.cards.length}${bad} …`,
      ended,
    );
  }

  download() {
    const head = ["image", "class", "class in words"];
    head.push(...this.facts.classes.map((c) => `probability of ${c.word}`));
    head.push("positive", "operating point", "problem", "run", "notice");
    const rows = this.cards.map(({ file, result, problem }) => [
      file.name,
      result?.label,
      result?.word,
      ...this.facts.classes.map((c) => result?.probabilities[c.name]),
      result?.positive,
      result?.operating_point,
      problem,
      this.facts.run,
      this.facts.notice,
    ]);
    download("cancernet-images.csv", [head, ...rows]);
  }

  clear() {
    for (const card of this.cards) card.remove();
    this.cards = [];
    this.done = 0;
    this.shown = AT_FIRST;
    by("rows").replaceChildren();
    this.draw();
    this.say("", true);
    by("images-heading").focus();
  }
}
