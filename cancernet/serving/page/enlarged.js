// One image as large as the window, with its heat map where that is shown.

const by = (id) => document.getElementById(id);

export class Enlarged {
  /** `listed` gives the cards among which one can go on. */
  constructor(listed) {
    this.listed = listed;
    by("large-previous").addEventListener("click", () => this.go(-1));
    by("large-next").addEventListener("click", () => this.go(1));
    by("large-close").addEventListener("click", () => by("large").close());
    const image = by("large-image");
    image.addEventListener("load", () => {
      image.classList.toggle("small", image.naturalWidth < 200);
      const ratio = image.naturalWidth / image.naturalHeight;
      by("large").style.setProperty("--ratio", ratio);
    });
    by("large").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.go(step);
    });
    by("large").addEventListener("click", (event) => {
      if (event.target === by("large")) by("large").close(); // beside the picture
    });
  }

  show(card) {
    this.card = card;
    const [image, heat] = [card.find("img"), card.find("canvas")];
    by("large-name").textContent = card.file.name;
    const lines = [".word", ".figure", ".judged", ".unlike"].map((each) => card.find(each));
    by("large-said").textContent =
      lines.filter((line) => !line.hidden).map((line) => line.textContent).join("\n");
    by("large-image").src = image.src;
    by("large-image").alt = image.alt;
    const copy = by("large-heat");
    copy.hidden = heat.hidden;
    copy.style.opacity = heat.style.opacity;
    if (!heat.hidden) {
      [copy.width, copy.height] = [heat.width, heat.height];
      copy.getContext("2d").drawImage(heat, 0, 0);
    }
    by("large-previous").disabled = !this.beside(-1);
    by("large-next").disabled = !this.beside(1);
    if (!by("large").open) by("large").showModal();
  }

  beside(step) {
    const cards = this.listed().filter((card) => card.canEnlarge);
    return cards[cards.indexOf(this.card) + step];
  }

  go(step) {
    const card = this.beside(step);
    if (card) this.show(card);
  }
}
