// Tables for spreadsheets.

/** One CSV cell: quoted; text that a spreadsheet would run as a formula is defused. */
export function cell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (typeof value !== "number" && /^[\s]*[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return `"${text.replaceAll('"', '""')}"`;
}

/** Gives a table to the person as a file. */
export function download(name, rows) {
  const lines = rows.map((row) => row.map(cell).join(","));
  save(name, "text/csv", ["\ufeff", lines.join("\r\n"), "\r\n"]);
}

/** Gives text to the person as a file. */
export function save(name, type, parts) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
