// Connects the parts of the page.

import { Problem, get, getFile, onTokenAsked } from "./api.js";
import { Images } from "./images.js";
import { listed, short } from "./scale.js";
import { Slide, describe } from "./slide.js";
import { Thresholds } from "./thresholds.js";

const by = (id) => document.getElementById(id);
let lastSaid = 0;

/** Says how far it is, at most once a second; without `progress`, what came of it. */
function say(text, progress) {
  const bar = by("progress");
  bar.hidden = !progress;
  bar.max = progress?.of ?? 1;
  if (progress?.of) bar.value = progress.done;
  else bar.removeAttribute("value"); // nobody knows how far
  const now = performance.now();
  if (progress && now - lastSaid < 1000) return;
  lastSaid = now;
  by("status").textContent = text;
}

function complain(error) {
  by("problem").textContent =
    error instanceof Problem ? error.message : "The page failed; reload it and try again.";
  say("");
}

let pendingToken = null;

function askForToken(wasWrong) {
  pendingToken ??= new Promise((resolve) => {
    by("token-form").hidden = false;
    by("token-problem").textContent = wasWrong ? "The server refuses this token." : "";
    by("token").focus();
    by("token-form").addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        by("token-form").hidden = true;
        pendingToken = null;
        resolve(by("token").value.trim());
      },
      { once: true },
    );
  });
  return pendingToken;
}

function tellFacts(facts) {
  by("run").textContent = `Run ${facts.run}`;
  by("notice").textContent = facts.notice;
  by("drawn").hidden = !facts.drawn;
  by("leak").hidden = !facts.leak;
  by("leak").textContent = `The splits of its data leak: ${facts.leak}`;
  by("files").accept = facts.limits.suffixes.join(",");
  const formats = listed(facts.limits.formats);
  by("limits").textContent = `: ${formats}, up to ${facts.limits.image_bytes / 2 ** 20} MiB each`;
  const positive = facts.classes.filter((c) => c.positive).map((c) => c.word).join(" or ");
  by("probability-head").textContent = `Probability of ${positive}`;
  by("neighbours-head").hidden = !facts.context;
  by("examples-box").hidden = !facts.examples.length;
  by("facts").replaceChildren(
    ...describe([
      ["Intended use", facts.intended_use],
      ["Classes", facts.classes.map((c) => `${c.word} (${c.name})`).join(", ")],
      ["Operating point", `${short(facts.operating_point)} on the probability of ${positive}`],
      ["Chosen by", facts.rule],
      ...(facts.context
        ? [["In context", `patches beside others of their patient are judged with them, at ${short(facts.context.operating_point)}`]]
        : []),
      ["Trained on", facts.data],
      ["Split", facts.split],
      ["Network", `${facts.network}, ${facts.input_width} × ${facts.input_height} pixels`],
      ["Recipe", facts.recipe],
      ["Finished", facts.finished],
      ["Heat maps", facts.heat_maps],
    ]),
  );
}

/** All files in a dropped file or folder, and in the folders inside it. */
async function filesIn(entry) {
  const promised = (ask) => new Promise((resolve, reject) => ask(resolve, reject));
  if (entry.isFile) return [await promised((...ends) => entry.file(...ends))];
  const reader = entry.createReader();
  const found = [];
  // A reader gives some entries at a time, and none once all were given.
  for (;;) {
    const some = await promised((...ends) => reader.readEntries(...ends));
    if (!some.length) return found.flat();
    found.push(...(await Promise.all(some.map(filesIn))));
  }
}

function listen(facts, images, slide) {
  const add = (files) => {
    by("problem").textContent = "";
    if (files.length) images.add([...files]).catch(complain);
  };
  by("examples").addEventListener("click", () => {
    Promise.all(facts.examples.map(getFile)).then(add).catch(complain);
  });
  by("files").addEventListener("change", () => {
    add(by("files").files);
    by("files").value = "";
  });
  const map = (files) => {
    by("problem").textContent = "";
    Promise.resolve(files).then((all) => slide.show(all)).catch(complain);
  };
  by("folder").addEventListener("change", () => {
    map([...by("folder").files]);
    by("folder").value = "";
  });
  const drop = by("drop");
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const { files, items } = event.dataTransfer;
    const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry);
    if (!entries.some((entry) => entry.isDirectory)) add(files);
    else map(Promise.all(entries.map(filesIn)).then((all) => all.flat()));
  });
}

onTokenAsked(askForToken);
try {
  const facts = await get("/model");
  tellFacts(facts);
  const thresholds = new Thresholds(facts, () => {
    images.judge();
    slide.draw();
  });
  const [images, slide] = [new Images(facts, thresholds, say), new Slide(facts, thresholds, say)];
  listen(facts, images, slide);
  document.body.dataset.ready = "yes";
} catch (error) {
  complain(error);
}
