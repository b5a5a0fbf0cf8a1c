// Which of many images are shown, in which order: sorted, filtered, a page at a time.

const PAGE = 24;

const KINDS = {
  all: () => true,
  positive: (card) => Boolean(card.held?.positive),
  unlike: (card) => Boolean(card.result?.unlike_training),
  failed: (card) => Boolean(card.problem),
};
const score = (card) => card.result?.positive_probability;
// What has no probability yet comes last.
const ORDERS = {
  added: () => 0,
  highest: (one, other) => (score(other) ?? -1) - (score(one) ?? -1),
  lowest: (one, other) => (score(one) ?? 2) - (score(other) ?? 2),
  name: (one, other) => one.file.name.localeCompare(other.file.name, "en", { numeric: true }),
};

const by = (id) => document.getElementById(id);

export class Gallery {
  constructor() {
    this.cards = [];
    this.page = 0;
    by("kinds").addEventListener("change", () => this.draw(this.cards, 0));
    by("order").addEventListener("change", () => this.draw(this.cards, 0));
    by("previous").addEventListener("click", () => this.turn(-1));
    by("next").addEventListener("click", () => this.turn(1));
  }

  /** Shows a page of the cards that the reader asks for, and the table of all of these. */
  draw(cards, page = this.page) {
    this.cards = cards;
    for (const [kind, belongs] of Object.entries(KINDS)) {
      by(`of-${kind}`).textContent = cards.filter(belongs).length;
    }
    const kind = by("kinds").querySelector(":checked").value;
    this.shown = cards.filter(KINDS[kind]).sort(ORDERS[by("order").value]);
    const last = Math.max(0, Math.ceil(this.shown.length / PAGE) - 1);
    this.page = Math.min(page, last);
    const first = this.page * PAGE;
    const here = this.shown.slice(first, first + PAGE);
    replace(by("cards"), here.map((card) => card.element));
    replace(by("rows"), this.shown.map((card) => card.row));
    by("pages").hidden = last === 0;
    by("previous").disabled = this.page === 0;
    by("next").disabled = this.page === last;
    by("place").textContent = `${first + 1} to ${first + here.length} of ${this.shown.length}`;
    by("none").hidden = cards.length === 0 || here.length > 0;
  }

  turn(pages) {
    this.draw(this.cards, this.page + pages);
    by("images-heading").scrollIntoView();
  }
}

/** Changes what an element holds only where it differs: what is left keeps its focus. */
function replace(element, children) {
  const same = element.children.length === children.length;
  if (same && children.every((child, place) => child === element.children[place])) return;
  element.replaceChildren(...children);
}
