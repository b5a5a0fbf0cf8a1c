// From numbers to text and to colours.

// From dark violet to light yellow: brightness rises with the value, so that it reads the
// same in grey and to colour-blind eyes, and none of it looks like H&E. The same as the
// heat maps' of predict.py --explain.
const SCALE = [
  [13, 8, 60], [62, 18, 110], [122, 30, 118], [182, 48, 92],
  [228, 88, 50], [248, 150, 30], [252, 232, 120],
];

/** The colour of a value 0-1 as [red, green, blue]. */
export function colour(value) {
  const place = Math.min(1, Math.max(0, value)) * (SCALE.length - 1);
  const below = Math.min(SCALE.length - 2, Math.floor(place));
  const share = place - below;
  return SCALE[below].map((low, channel) => low + share * (SCALE[below + 1][channel] - low));
}

/** So many decimals, a tie to the even digit, as Python rounds; toFixed rounds a tie up. */
export function rounded(value, digits) {
  const up = value.toFixed(digits);
  const isTie = /^50*$/.test(value.toFixed(digits + 60).slice(up.length));
  return isTie && up.at(-1) % 2 ? (value - 0.1 ** (digits + 2)).toFixed(digits) : up;
}

/** Three decimals, but never 0.000 or 1.000 for what is neither. */
export function short(value) {
  if (value > 0 && value < 0.0005) return "below 0.001";
  if (value < 1 && value >= 0.9995) return "above 0.999";
  return rounded(value, 3);
}

/** A value and the operating point beside it; with more digits where they would read the same. */
export function beside(value, point) {
  const [shown, mark] = [short(value), short(point)];
  const exact = (each) => each.toLocaleString("en", { maximumSignificantDigits: 9 });
  return shown === mark ? [exact(value), exact(point)] : [shown, mark];
}

/** The call for a reader: of two classes what it means, of more `positive` or `negative`. */
export function callOf(result, classes) {
  return classes.length > 2 ? result.call : result.word;
}

/** Of more than two classes the most probable one, and where the call is another. */
export function mostProbable(result, classes) {
  const isPositive = classes.find((c) => c.name === result.label).positive;
  const other = isPositive === result.positive ? "" : `, although the call is ${result.call}`;
  return `most probable class: ${result.word} ${short(result.probability)}${other}`;
}

/** "PNG, JPEG or TIFF". */
export function listed(names) {
  return new Intl.ListFormat("en-GB", { type: "disjunction" }).format(names);
}

/** "1 patch", "2,000 patches". */
export function counted(number, one, several) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : several}`;
}

/** What is said of an image that is unlike the training images. */
export const UNLIKE =
  "Unlike the training images: the model has no basis for its answer.";

/** What is said of a file with the name of a mask. */
export const NAMED_LIKE_MASK =
  "Named like a segmentation mask, for which the answer means nothing.";

/** How a run that judges in context judged one patch. */
export function judged(neighbours, alone) {
  if (neighbours === undefined) return "judged alone, without neighbours";
  const further = neighbours ? "" : ", but with patches further away";
  return `judged with ${neighbours} of 8 neighbours${further}; alone: ${short(alone)}`;
}

/** What an image is held to, stored or the reader's own. */
export function pointName(own) {
  return own ? "your threshold" : "the operating point";
}

/** Draws the whole scale from 0 to 1. */
export function drawLegend(canvas) {
  canvas.width = 256;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  for (let at = 0; at < 256; at += 1) {
    context.fillStyle = `rgb(${colour(at / 255).join(" ")})`;
    context.fillRect(at, 0, 1, 1);
  }
}

/** Draws a grey image's values in colour, transparent where it is dark. */
export async function drawHeat(canvas, base64) {
  const image = new Image();
  image.src = `data:image/jpeg;base64,${base64}`;
  await image.decode();
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const value = pixels.data[at] / 255;
    pixels.data.set([...colour(value), 255 * Math.min(1, 1.6 * value)], at);
  }
  context.putImageData(pixels, 0, 0);
}
